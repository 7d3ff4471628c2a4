"""How a dictation fits what stands before the cursor: with a space between the two or none, with its capital or not.

    fitted(text, before)    -> the text as it is to be written there
    ends_with(before, text) -> it is there

Two dictations in a row are two sentences of one line, or two halves of one sentence. What the engine wrote is a text by
itself: it begins with a capital and with no space. So a space is put where a line goes on, unless something stands
there that wants none: an opening bracket or quote, a slash, the hyphen of a compound, a script without spaces. And
where a sentence goes on, its first word loses the capital, if it is one of those that are no name in any case.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
import unicodedata

from lysnrai_desktop.core.speech import SpokenText

LOOK_BACK = 64
"""So many characters before the cursor are enough."""

_WORDS = (
    # English
    "a about after all also although an and another any are as at because before both but by did do does for from had "
    "has have he her here him his how if in into is it it's its just like maybe more most my no nor not now of on only "
    "or other our over perhaps she since so some still such than that that's the their them then there there's these "
    "they they're this those though through to too under until up very was we we're were what when where whether which "
    "while who whose why with without would yet you you're your "
    # German; without Sie and Ihr, which are also said to somebody
    "aber als am auch auf aus bei beim bis da dabei damit dann darum das dass dein dem den denn der des deshalb die "
    "dies diese dieser dieses doch dort durch ein eine einem einen einer eines er es etwa für gegen hier ich im in ist "
    "ja jedoch kein keine mein mit nach nicht noch nur ob obwohl oder ohne schon sehr seit sein seine sich sind "
    "sondern sowie über um und uns unser unter vom von vor war waren wegen weil wenn wie wir wird wo zu zum zur zwar "
    # French, Spanish, Italian, Portuguese: articles are left out, for names begin with them (Le Havre, El Salvador)
    "car donc et mais ou où parce que qui puis ma però perché poi porque pero aunque pois também"
)
_NEVER_A_NAME = frozenset(_WORDS.split())
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?(?![\w-])")
_BEHIND_A_WORD = frozenset(",.;:!?…%)]}，。、；：！？）」』】")
"""No space before these, whatever stands there."""
_GLUE = frozenset("/\\@#_¿¡")
"""No space behind these."""
_QUOTES = frozenset("\"'*`~")
"""Beside those that Unicode calls quotes: the marks of typewriters and of Markdown."""


def fitted(text: SpokenText, before: str) -> SpokenText:
    """Return the text as it goes on from what stands before the cursor.

    Args:
        text: a text by itself.
        before: the last characters of the cursor's field before the cursor; "" where nothing is.
    """
    written = text.reveal()
    if not written or not before:
        return text
    if _goes_on(before):
        written = _without_capital(written)
    return SpokenText(" " + written if _wants_space(before, written) else written)


def ends_with(before: str, text: SpokenText) -> bool:
    """Tell whether a text is what stands before the cursor.

    Only letters and digits count: of the rest each program tells in its own way.
    """
    there, inserted = ("".join(c for c in each if c.isalnum()) for each in (before, text.reveal()))
    return there.endswith(inserted) or (len(before) >= LOOK_BACK and inserted.endswith(there))


def _wants_space(before: str, text: str) -> bool:
    last, first = before[-1], text[0]
    if last.isspace() or first.isspace() or first in _BEHIND_A_WORD:
        return False
    if _is_spaceless(last) or _is_spaceless(first):
        return False
    if unicodedata.category(last) == "Sc":
        return not first.isdigit()  # "$" and "5"; but "5 €" and a word
    return not _opens(before)


def _opens(before: str) -> bool:
    """Tell whether the last character belongs to what comes, not to what stands there."""
    last, behind_space = before[-1], not before[:-1] or before[-2].isspace()
    kind = unicodedata.category(last)
    if last in _GLUE or kind == "Ps":
        return True
    if kind == "Pd":  # "well-" wants the rest of its word; a dash with a space before it wants one behind
        return not behind_space
    if kind in ("Pi", "Pf") or last in _QUOTES:  # the same mark opens in one language and closes in another
        return behind_space or _opens(before[:-1])
    return False


def _is_spaceless(character: str) -> bool:
    """Tell whether it is Chinese or Japanese, which have no spaces.

    Thai, Lao, Khmer and Burmese have none between words, but one between sentences, and so between dictations.
    """
    number = ord(character)
    return (
        0x3000 <= number <= 0x30FF
        or 0x31F0 <= number <= 0x31FF
        or 0x3400 <= number <= 0x4DBF
        or 0x4E00 <= number <= 0x9FFF
        or 0xF900 <= number <= 0xFAFF
        or 0xFF00 <= number <= 0xFF9F
        or 0x20000 <= number <= 0x3FFFF
    )


def _goes_on(before: str) -> bool:
    """Tell whether a sentence that was begun before the cursor has not ended there."""
    end = before.rstrip(" \t\u00a0\u202f")
    while end and (unicodedata.category(end[-1]) in ("Pe", "Pf", "Pi") or end[-1] in _QUOTES):
        end = end[:-1]
    return bool(end) and (end[-1].isalnum() or end[-1] in ",;%" or unicodedata.category(end[-1]) == "Sc")


def _without_capital(text: str) -> str:
    word = _FIRST_WORD.match(text)
    if word is None or word[0].lower().replace("’", "'") not in _NEVER_A_NAME:
        return text
    rest = word[0][1:]
    return text[0].lower() + text[1:] if rest == rest.lower() else text  # "IT" is no "it"
