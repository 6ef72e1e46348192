"""Makes texts from outside safe for log lines, errors and terminals.

A text of a store, a proxy, DNS, an event or a user's exception may have anything in it: line breaks
that forge log lines, escape codes that control a terminal, marks that change the direction of
writing, lone surrogates that no file can be written with. Every text that is not the package's own
passes one of these functions before it is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_SHOWN = 300
"""Characters of one text from outside."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text that no repr shows, such as a token; error trackers show the locals of frames."""

    text: str = field(repr=False)


def printable(text: object, most: int | None = MAX_SHOWN) -> str:
    r"""Return a text as one line, with unprintable characters as `\n`, `\x1b`, `\u202e`.

    It is shortened to `most` characters; None shows a value whole, for commands that print values.
    """
    shown = str(text) if most is None else str(text)[: most + 1]
    if not shown.isprintable():
        shown = "".join(one if one.isprintable() else _escaped(one) for one in shown)
    return shown if most is None or len(shown) <= most else shown[: max(most - 3, 0)] + "..."


def printable_lines(text: str) -> str:
    """Return a value for a terminal: like `printable`, but line breaks and tabs stay."""
    return "\n".join(
        "\t".join(printable(cell, None) for cell in line.split("\t")) for line in text.split("\n")
    )


def quoted(text: str | None, most: int = MAX_SHOWN) -> str:
    """Return a key, a label or a name in quotes, printable and shortened to `most` characters."""
    if text is None or len(text) <= most:
        return repr(text)
    return repr(text[:most]) + "..."


_NOT_SECRET = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?( ?[a-z]{1,3})?|[A-Za-z_-]{0,20}")
"""Short numbers, with a unit or without, and short words: no access key looks like that."""
_SECRET = re.compile(r"Secret=|SharedAccess(?:Key|Signature)|AccountKey=", re.IGNORECASE)
_MAX_INT = 10**20


def holds_secret(text: str) -> bool:
    """Tell whether a text is, or holds, a connection string or an access key."""
    return _SECRET.search(text) is not None


def argument(given: object) -> str:
    """Return a wrong argument for an error message: its repr, or only its type and length.

    Somebody may have passed an access key by the wrong keyword. So only what cannot be a key is
    shown.
    """
    if given is None or isinstance(given, bool | float):
        return repr(given)
    if isinstance(given, int):
        return repr(given) if abs(given) < _MAX_INT else "a very large int"
    if isinstance(given, str) and _NOT_SECRET.fullmatch(given):
        return repr(given)
    length = f" of {counted(len(given), 'character')}" if isinstance(given, str) else ""
    return kind_of(given) + length


def kind_of(given: object) -> str:
    """Return the name of an object's type with an article: `a str`, `an int`."""
    kind = printable(type(given).__name__)
    return f"{'an' if kind[:1].lower() in {'a', 'e', 'i', 'o', 'u'} else 'a'} {kind}"


def counted(number: int, thing: str) -> str:
    """Return a number of things: `1 request`, `2 requests`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def sendable(text: str) -> bool:
    """Tell whether a text can be sent; one with half of a character (a lone surrogate) cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
