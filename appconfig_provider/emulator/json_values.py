"""Values that are no texts: numbers, booleans, lists and objects, which are stored as JSON.

A store keeps texts alone. That a text is JSON is told by its content type, so both are made here
together. ``None`` is no value at all; the JSON value null is :data:`JSON_NULL`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

from appconfig_provider.emulator.model import MAX_ITEM_BYTES

JSON_TYPE: Final = "application/json"
MAX_DEPTH: Final = 100
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


class JsonNull(Enum):
    """The type of :data:`JSON_NULL`."""

    JSON_NULL = "null"


JSON_NULL: Final = JsonNull.JSON_NULL
"""The JSON value null as the value of a setting; ``None`` is a setting without a value."""

JsonValue: TypeAlias = (
    "str | int | float | JsonNull | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)


class InvalidValue(ValueError):
    """A value that JSON cannot hold; the message says where in it, and never shows it."""


def is_json(content_type: str | None) -> bool:
    """Whether a content type is one of JSON: ``application/json``, ``application/x+json``."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    return kind == "application" and "json" in subtype.split("+")


def stored_form(value: JsonValue, content_type: str | None) -> tuple[str | None, str | None]:
    """The text and the content type that a value is stored with.

    A text, and None, stay as they are. Anything else becomes JSON, of the type
    ``application/json`` unless another one of JSON is given.

    Raises:
        InvalidValue: JSON has no such value, it is too deep or too large, or the content type is
            not one of JSON.
    """
    if value is None or isinstance(value, str):
        return value, content_type
    if content_type is not None and not is_json(content_type):
        raise InvalidValue(
            f"a value of type {type(value).__name__} is stored as JSON, and {content_type!r} is no "
            f"content type of JSON; give none, one such as {JSON_TYPE!r}, or the value as a text"
        )
    return _text(value), content_type or JSON_TYPE


def _text(value: object) -> str:
    pieces: list[str] = []
    size = 0
    for piece in _pieces(value, "value", 0):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ITEM_BYTES:
            raise InvalidValue(f"as JSON the value is larger than {MAX_ITEM_BYTES} bytes")
    return "".join(pieces)


def _pieces(value: object, place: str, depth: int) -> Iterator[str]:
    """A value as JSON, bit by bit, so that one without end is noticed."""
    if depth > MAX_DEPTH:
        raise InvalidValue(f"the value is nested deeper than {MAX_DEPTH} levels, or holds itself")
    if isinstance(value, Mapping):
        yield from _members(value, place, depth)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield "," if number else "["
            yield from _pieces(item, f"{place}[{number}]", depth + 1)
        yield "]" if value else "[]"
    else:
        yield _scalar(value, place)


def _members(content: Mapping[object, object], place: str, depth: int) -> Iterator[str]:
    separator = "{"
    for name, value in content.items():
        if not isinstance(name, str):
            raise InvalidValue(
                f"{place}: a name in a JSON object is a text, not {type(name).__name__}"
            )
        yield f"{separator}{_encode(name)}:"
        separator = ","
        yield from _pieces(value, f"{place}[{name!r}]", depth + 1)
    yield "}" if content else "{}"


def _scalar(value: object, place: str) -> str:
    if value is None or value is JSON_NULL:
        return "null"
    if not isinstance(value, (str, int, float)):
        raise InvalidValue(f"{place}: {type(value).__name__} is no type of JSON")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidValue(f"{place}: JSON has no {value}")
    try:
        return _encode(value)
    except ValueError:  # Python writes no integers of more than some thousand digits
        raise InvalidValue(f"{place}: the integer has too many digits") from None
