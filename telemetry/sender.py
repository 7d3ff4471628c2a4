"""HTTP with the service: one call at a time, each with an end.

    register │ upload │ configuration │ erase ─▶ Answer

A call never raises for what the network or the service does: that is in the Answer (policy.py judges it). It ends
within EXCHANGE_S, however slowly bytes come; at once when `stop` is called from another thread, since every socket is
known from the moment it is made, and shut down; and within LOOK_S when another process has written the user's choice.
A call that was decided on before any of these is not made after it: the caller takes a `ticket` before it decides.

System proxy and certificates count; certificates are verified, always. Redirects are never followed, cookies and
.netrc never used. No secret, token or body is ever logged.

Absent here: retries, judgement.

Imports: calls, identity, policy (numbers, Answer), requests on first use. May be imported by: worker, inspect.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from telemetry import calls
from telemetry.identity import Identity, Install, Mark
from telemetry.policy import ANSWER_BYTES, CONNECT_S, EXCHANGE_S, LOOK_S, READ_S, Answer

if TYPE_CHECKING:
    import socket

    import requests
    from urllib3.connection import HTTPConnection

_BASE: Final = "/api/telemetry"

Ticket = tuple[int, Mark]
"""The right to one call: how often this process had said stop, and the choice on the disk, when it was taken."""


class Sender:
    """Calls the service at one address with one product key."""

    def __init__(self, home: Path, url: str, product_key: str, *, exchange_s: float = EXCHANGE_S) -> None:
        """Nothing is imported and nothing connected before the first call.

        Args:
            home: the folder with the user's choice.
            url: of the platform service.
            product_key: public.
            exchange_s: longest time for one call.
        """
        self._home = home
        self._identity = Identity(home)
        self._url = url.rstrip("/") + _BASE
        self._key = product_key
        self._exchange_s = exchange_s
        self._session: requests.Session | None = None
        self._lock = threading.Lock()
        self._sockets: set[int] = set()
        self._stops = 0
        self._calling: Ticket | None = None
        self._overdue = False

    @property
    def ticket(self) -> Ticket:
        """Take one before deciding on a call; a stop, or a choice made in another process, makes it worthless."""
        return self._stops, self._identity.mark

    def stop(self) -> None:
        """End the call that is under way, and let none begin that was decided on before now."""
        with self._lock:
            self._stops += 1
            self._shut_down()

    def close(self) -> None:
        self.stop()
        if self._session is not None:
            self._session.close()

    # ------------------------------------------------------------------------------------------------------- calls

    def register(self, install: Install, platform: str, ticket: Ticket) -> Answer:
        body = {
            "installId": install.id,
            "productKey": self._key,
            "platform": platform,
            "installSecret": install.secret,
        }
        return self._call("POST", "/installs", ticket, body=json.dumps(body).encode())

    def upload(self, install: Install, body: bytes, ticket: Ticket) -> Answer:
        return self._call("POST", "/events", ticket, install, body=body)

    def configuration(self, install: Install, query: Mapping[str, str], etag: str | None, ticket: Ticket) -> Answer:
        headers = {} if etag is None else {"If-None-Match": etag}
        return self._call("GET", "/config", ticket, install, query=query, headers=headers)

    def erase(self, install: Install, ticket: Ticket) -> Answer:
        return self._call("DELETE", f"/install/{install.id}", ticket, install)

    def _call(
        self,
        method: str,
        path: str,
        ticket: Ticket,
        install: Install | None = None,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        import requests
        import urllib3

        sent = {"Accept": "application/json", "Accept-Encoding": "gzip", **(headers or {})}
        if install is not None:
            sent["X-Install-Token"] = install.token or ""
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            import gzip

            body = gzip.compress(body, compresslevel=6, mtime=0)
        session = self._session or self._open()
        with calls.under_way(self._home), self._guarded(ticket) as allowed:
            if not allowed:
                return Answer(fault="stopped")
            try:
                with session.request(
                    method,
                    self._url + path,
                    params=query,
                    data=body,
                    headers=sent,
                    timeout=(CONNECT_S, READ_S),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return _read(response)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError, _Stopped) as error:
                return Answer(fault=self._fault(error, ticket))

    @contextlib.contextmanager
    def _guarded(self, ticket: Ticket) -> Iterator[bool]:
        """Whether the call may be made; while it is under way, a thread looks after its end."""
        with self._lock:
            allowed = ticket == self.ticket
            if allowed:
                self._calling, self._overdue = ticket, False
        if not allowed:
            yield False
            return
        ended = threading.Event()
        guard = threading.Thread(target=self._guard, args=(ticket, ended), name="telemetry guard", daemon=True)
        guard.start()
        try:
            yield True
        finally:
            ended.set()
            guard.join()

    def _guard(self, ticket: Ticket, ended: threading.Event) -> None:
        deadline = time.monotonic() + self._exchange_s
        while not ended.wait(max(0.0, min(LOOK_S, deadline - time.monotonic()))):
            if ticket != self.ticket:
                self.stop()
                return
            if time.monotonic() >= deadline:
                with self._lock:
                    self._overdue = True
                    self._shut_down()
                return

    def _fault(self, error: Exception, ticket: Ticket) -> str:
        import requests

        if ticket != self.ticket:
            return "stopped"
        if self._overdue or isinstance(error, requests.Timeout):
            return "timeout"
        if isinstance(error, requests.exceptions.SSLError):
            return "tls"
        if isinstance(error, _TooLarge):
            return "too_large"
        return "unreachable" if isinstance(error, requests.ConnectionError) and not self._sockets else "broken"

    # ----------------------------------------------------------------------------------------------------- sockets

    def _open(self) -> requests.Session:
        import http.cookiejar

        import requests

        session = requests.Session()
        session.auth = _no_netrc
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        session.headers.clear()
        session.headers["User-Agent"] = "telemetry/1"
        adapter = _adapter(self)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        self._session = session
        return session

    def watch(self, connected: socket.socket) -> None:
        """Know a socket from now on; raises where its call was stopped meanwhile.

        What is kept is a second descriptor of the same connection: TLS takes the first one over, and a shutdown acts on
        the connection, whichever descriptor it comes by.
        """
        with self._lock:
            if self._overdue or self._calling != self.ticket:
                connected.close()
                raise _Stopped
            self._forget_dead()
            self._sockets.add(connected.dup().detach())

    def _forget_dead(self) -> None:
        """At most one connection is open: whoever makes another has given up the one before."""
        import socket

        for descriptor in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket(fileno=descriptor).close()
        self._sockets.clear()

    def _shut_down(self) -> None:
        import socket

        for descriptor in self._sockets:
            connection = socket.socket(fileno=descriptor)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._sockets.clear()


class _Stopped(Exception):
    """The call was stopped before its connection stood."""


class _TooLarge(ValueError):
    """An answer beyond the limit."""


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an authentication of its own, requests sends what .netrc holds for the host."""
    return request


def _read(response: requests.Response) -> Answer:
    """The answer with its body inflated, up to ANSWER_BYTES."""
    import zlib

    headers = {name.lower(): value for name, value in response.headers.items()}
    inflate = zlib.decompressobj(31) if headers.get("content-encoding", "").lower() in {"gzip", "x-gzip"} else None
    body = bytearray()
    while chunk := response.raw.read(65_536, decode_content=False):
        try:
            body += inflate.decompress(chunk, ANSWER_BYTES + 1) if inflate else chunk
        except zlib.error as error:
            raise ValueError("not gzip") from error
        if len(body) > ANSWER_BYTES or (inflate and inflate.unconsumed_tail):
            raise _TooLarge
    return Answer(response.status_code, headers, bytes(body))


def _adapter(sender: Sender) -> requests.adapters.HTTPAdapter:
    """An adapter of one connection, with the system's certificates, that tells the sender of each socket."""
    import socket
    import ssl

    import requests.adapters
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def watched(base: type[HTTPConnection]) -> type[Any]:
        class Watched(base):  # type: ignore[valid-type, misc]
            def _new_conn(self) -> socket.socket:
                made: socket.socket = super()._new_conn()
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sender.watch(made)
                return made

        return Watched

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = watched(HTTPConnection)

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = watched(HTTPSConnection)

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=ssl.create_default_context(), **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(proxy, ssl_context=ssl.create_default_context(), **kwargs)
            manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
            return manager

    return Adapter(pool_connections=1, pool_maxsize=1, max_retries=0)
