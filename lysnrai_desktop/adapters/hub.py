"""Fetch files of a model from the hub or a mirror: `python -m lysnrai_desktop.adapters.hub`, a process to be killed.

    hub ENDPOINT REPOSITORY REVISION FOLDER FILE...

Each file is written to FOLDER/FILE; one that is partly there is gone on with. Prints nothing if all of them came, else
one line that says why not ("disk full" where it was that), and exits with status 1. Ends at once when its standard
input is closed: whoever wanted the files is gone. Whether they are the right ones, how long a silence may last, and
what is told to the user is decided by runtime/model_sources.py.

Why not `hf_hub_download`: since huggingface_hub 2.4 it begins anew whenever its process was ended, and three gigabytes
over a poor line never arrive that way. `http_get` below it goes on from a size, and retries within one call.

Imports: nothing of this package; huggingface_hub. May be imported by: nobody.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

CHUNK_BYTES = 32 << 10
RANGE_NOT_SATISFIABLE = 416

# No token: the models are public, and a mirror must not see one. No compression: a range would count its bytes.
_HEADERS = {"accept-encoding": "identity", "user-agent": "lysnrai-desktop"}


def main(arguments: Sequence[str]) -> str:
    """Fetch the files; "" or the reason why one did not come."""
    endpoint, repository, revision, folder, *names = arguments
    os.umask(0o077)
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    for name in names:
        path = Path(folder) / name
        try:
            _fetch(endpoint, repository, revision, path)
        except HfHubHTTPError as answer:
            if answer.response.status_code == RANGE_NOT_SATISFIABLE:
                path.unlink()  # longer than what the server has: no beginning of it
            return f"the server answered {answer.response.status_code}"
        except OfflineModeIsEnabled:
            return "HF_HUB_OFFLINE is set"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return type(error).__name__
        except OSError as error:
            return _reason(error)
    return ""


def _fetch(endpoint: str, repository: str, revision: str, path: Path) -> None:
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get

    # The library collects 10 MB before it writes. On a poor line that is minutes without a byte in the file, which
    # would look like a stall, and all of it is lost when the line breaks.
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    url = hf_hub_url(repository, path.name, revision=revision, endpoint=endpoint)
    with path.open("ab", buffering=0) as file:
        http_get(url, file, resume_size=file.tell(), headers=_HEADERS)


def _reason(error: OSError) -> str:
    return "disk full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else type(error).__name__


def _end_with_parent() -> None:
    # Not sys.stdin, whose lock a thread would still hold when the interpreter wants to exit.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    reason = main(sys.argv[1:])
    sys.stdout.write(reason)
    sys.exit(1 if reason else 0)
