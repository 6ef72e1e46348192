r"""The filter grammar of keys, labels and tags, as values.

A name filter is one of three things: anything, a prefix, or a short list of exact names. Reserved
are ``*``, ``,`` and ``\``; a backslash makes any character ordinary. Parsing is done on *letters*:
pairs of a character and whether it was escaped, each with its position in the filter, because an
error names the position in the text that was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_VALUES = 5
NO_NAME = "\0"


class FilterError(ValueError):
    """A filter outside the grammar; ``name`` is the parameter to blame, ``detail`` says where."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Anything:
    """Lets every name pass, "no label" too."""


@dataclass(frozen=True, slots=True)
class StartsWith:
    """Lets names with this beginning pass; "no label" has no beginning."""

    prefix: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Lets exactly these names pass; ``None`` is "no label"."""

    names: tuple[str | None, ...]


NameFilter = Anything | StartsWith | OneOf


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Lets settings pass that carry this tag with exactly this value."""

    name: str
    value: str | None


class _Letter(NamedTuple):
    character: str
    escaped: bool
    position: int


def parse_name_filter(text: str | None, name: str) -> NameFilter:
    """Read a filter on keys or labels; ``name`` is what an error calls the parameter.

    Raises:
        FilterError: a wildcard that is not at the end or stands in a list, or too many names.
    """
    if not text or text.startswith("*"):
        return Anything()
    parts = _split(_letters(text), ",")
    if len(parts) > MAX_VALUES:
        raise FilterError(name, f"{name}: Too many values. Maximum supported is {MAX_VALUES}")
    if len(parts) > 1:
        return OneOf(tuple(_exact(part, name) for part in parts))
    letters = parts[0]
    if text.endswith("*") and _is_reserved(letters[-1], "*"):
        return StartsWith(_plain(letters[:-1], name))
    return OneOf((_exact(letters, name),))


def parse_tag_filters(texts: Iterable[str]) -> tuple[TagFilter, ...]:
    """Read ``name=value`` filters; blank ones are skipped.

    Raises:
        FilterError: no or several ``=``, an empty name, a reserved character, more than five.
    """
    wanted = [text for text in texts if text.strip()]
    if len(wanted) > MAX_VALUES:
        raise FilterError("tags", f"tags: Too many values. Maximum supported is {MAX_VALUES}")
    return tuple(_tag_filter(text) for text in wanted)


def _tag_filter(text: str) -> TagFilter:
    parts = _split(_letters(text), "=")
    if len(parts) != 2:
        raise FilterError("tags", "tags: A filter is a name, '=' and a value")
    name, value = (_plain(part, "tags") for part in parts)
    if name in ("", NO_NAME):
        raise FilterError("tags", "tags(0): A tag has a name")
    return TagFilter(name, None if value == NO_NAME else value)


def _letters(text: str) -> list[_Letter]:
    letters: list[_Letter] = []
    escaped = False
    for position, character in enumerate(text):
        if character == "\\" and not escaped:
            escaped = True
        else:
            letters.append(_Letter(character, escaped, position))
            escaped = False
    return letters


def _split(letters: Sequence[_Letter], separator: str) -> list[list[_Letter]]:
    parts: list[list[_Letter]] = [[]]
    for letter in letters:
        if _is_reserved(letter, separator):
            parts.append([])
        else:
            parts[-1].append(letter)
    return parts


def _exact(letters: Sequence[_Letter], name: str) -> str | None:
    text = _plain(letters, name)
    return None if text == NO_NAME else text


def _plain(letters: Sequence[_Letter], name: str) -> str:
    for letter in letters:
        if _is_reserved(letter, "*,"):
            raise FilterError(name, f"{name}({letter.position}): Invalid character")
    return "".join(letter.character for letter in letters)


def _is_reserved(letter: _Letter, reserved: str) -> bool:
    return not letter.escaped and letter.character in reserved
