"""Texts from outside, in a form that a log line, an error and a terminal can hold.

A store, a proxy, DNS, an event or a user's exception may hold anything: line breaks that forge log
lines, escape codes that are orders to a terminal, marks that turn the direction of writing, halves
of characters that no file can be written with. Every text that the package did not write itself
passes one of these functions before anybody is shown it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_SHOWN = 300
"""Characters of one text from outside."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text that no repr shows, such as a token; error trackers show the locals of frames."""

    text: str = field(repr=False)


def printable(text: object, most: int | None = MAX_SHOWN) -> str:
    r"""Return a text as one line, with unprintable characters as `\n`, `\x1b`, `\u202e`.

    It is cut to `most` characters; None is for values that somebody asked to see whole.
    """
    shown = str(text) if most is None else str(text)[: most + 1]
    if not shown.isprintable():
        shown = "".join(one if one.isprintable() else _escaped(one) for one in shown)
    return shown if most is None or len(shown) <= most else shown[: max(most - 3, 0)] + "..."


def printable_lines(text: str) -> str:
    """Return a value as a terminal can show it: its lines and tabs stay, nothing else does."""
    return "\n".join(
        "\t".join(printable(cell, None) for cell in line.split("\t")) for line in text.split("\n")
    )


def quoted(text: str | None, most: int = MAX_SHOWN) -> str:
    """Return a key, a label or a name in quotation marks, made printable and cut to `most`."""
    if text is None or len(text) <= most:
        return repr(text)
    return repr(text[:most]) + "..."


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
