"""Secrets: a key or token that shows nothing of itself.

As spoken text (core/speech.py) it travels as a value whose `str` and `repr` give nothing away, so that no log line,
error text or message can. Only whoever hands it to the service, or to the keyring, may call `reveal()`.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations


class Secret:
    """A key: printable ASCII, blanks around it taken away. Immutable, comparable; false when it is empty."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        """Raises ValueError for what cannot be one; the error does not repeat it.

        The Speech SDK puts a key into an HTTP header as it is: a line break in it would begin a header of its own
        (measured with 1.53).
        """
        text = text.strip()
        if not (text.isascii() and text.isprintable()):
            raise ValueError("a key is printable ASCII")
        self._text = text

    def reveal(self) -> str:
        """The key itself, for the service it belongs to. Never for a log, never for a command line."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>" if self._text else "<no secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)
