"""JSON from outside, decoded within bounds that do not depend on who is calling.

Python decodes nested JSON by recursion, so how deep a text may go depends on how much of the stack
its caller has used up: a body of 100,000 brackets raises RecursionError, and so does good JSON that
is read deep inside a program. Here the bound is a number. A text within it is decoded on any stack,
when need be without recursion; a text beyond it is refused on any stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

MAX_DEPTH = 100
"""Objects and arrays inside each other."""
MAX_DIGITS = 4300
"""Digits of a whole number; reading one takes the square of their count."""


class Undecodable(ValueError):
    """A text that is no JSON, or beyond the bounds; says why, and holds nothing of the text."""


def decode(text: str | bytes) -> Any:
    """Decode JSON; `NaN` and `Infinity` are numbers, as everywhere in Python.

    Raises:
        Undecodable: it is no JSON, or nested too deeply, or has a number that is too long.
    """
    try:
        return _decode(text if isinstance(text, str) else _text_of(text))
    except ValueError as error:
        why = "bytes that are no text" if isinstance(error, UnicodeError) else str(error)
    # Raised out here: an error of the decoder holds the whole text, which may be a secret.
    raise Undecodable(why)


def _text_of(body: bytes) -> str:
    return body.decode(json.detect_encoding(body), "surrogatepass")


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


_SHORT = json.JSONDecoder()
_LONG = json.JSONDecoder(parse_int=_whole_number)
"""For texts in which a number may have too many digits; asking at each number takes time."""


def _decode(text: str) -> object:
    decoder = _SHORT if len(text) <= MAX_DIGITS else _LONG
    try:
        value = decoder.decode(text)
    except RecursionError:
        value = _OUT_OF_STACK
    if value is _OUT_OF_STACK:
        if _depth(text) > MAX_DEPTH:
            raise _nested_too_deeply()
        return decode_without_recursion(text)
    if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(value):
        raise _nested_too_deeply()
    return value


_OUT_OF_STACK = object()

_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def _depth(text: str) -> int:
    """Return how deep brackets go, quickly: reading without recursion takes a second a megabyte."""
    brackets = _TEXT.sub("", text).encode("ascii", "ignore").translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _nested_too_deeply() -> ValueError:
    return ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _too_deep(value: object) -> bool:
    """Tell whether a value is nested too deeply, going through it level by level."""
    level = [value] if type(value) in _NESTS else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)  # type: ignore[attr-defined]  # else a list
            if type(inner) in _NESTS
        ]
        if not level:
            return False
    return True


_NESTS = frozenset({dict, list})

_TOKEN = re.compile(
    r'[ \t\n\r]*(?:([\[\]{}:,])|("[^"\\]*(?:\\.[^"\\]*)*")|([^\s\[\]{}:,"]+))', re.DOTALL
)

_VALUE = frozenset({"[", "{", "text", "other"})
_NAME = frozenset({"text"})
_COLON = frozenset({":"})
_OPENED = {"[": _VALUE | {"]"}, "{": _NAME | {"}"}}
_FOLLOWING: dict[type, frozenset[str]] = {list: frozenset({",", "]"}), dict: frozenset({",", "}"})}


def decode_without_recursion(text: str) -> object:
    """Decode JSON as `decode` does, on any stack; some twenty times slower.

    Raises:
        ValueError: as `decode`.
    """
    reader = _Reader()
    for kind, scalar in _tokens(text):
        reader.take(kind, scalar)
    return reader.whole()


class _Reader:
    """Puts JSON together part by part; `_allowed` is what may come next."""

    def __init__(self) -> None:
        self._nests: list[Any] = [[]]
        """The objects and arrays that are open, around them an array for the whole."""
        self._names: list[str | None] = [None]
        """In each: the name that waits for its value."""
        self._allowed = _VALUE

    def take(self, kind: str, scalar: object) -> None:
        """Take the next part."""
        if kind not in self._allowed:
            raise ValueError("something stands where it may not")
        in_object = type(self._nests[-1]) is dict
        if kind in _OPENED:
            self._open(kind)
        elif kind in {"]", "}"}:
            self._nests.pop()
            self._names.pop()
            self._allowed = self._following()
        elif kind in {",", ":"}:
            self._allowed = _NAME if kind == "," and in_object else _VALUE
        elif in_object and self._names[-1] is None:
            self._names[-1] = str(scalar)
            self._allowed = _COLON
        else:
            self._put(scalar)
            self._allowed = self._following()

    def whole(self) -> object:
        """Return the value, when all of it has come."""
        if len(self._nests) > 1 or not self._nests[0]:
            raise ValueError("the end is missing")
        return self._nests[0][0]

    def _open(self, kind: str) -> None:
        if len(self._nests) > MAX_DEPTH:
            raise _nested_too_deeply()
        inner: object = [] if kind == "[" else {}
        self._put(inner)
        self._nests.append(inner)
        self._names.append(None)
        self._allowed = _OPENED[kind]

    def _put(self, value: object) -> None:
        nest, name = self._nests[-1], self._names[-1]
        if type(nest) is list:
            nest.append(value)
        else:
            nest[name], self._names[-1] = value, None

    def _following(self) -> frozenset[str]:
        return _FOLLOWING[type(self._nests[-1])] if len(self._nests) > 1 else frozenset()


def _tokens(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of JSON: marks as they are, texts and other scalars decoded."""
    end, place = len(text.rstrip(" \t\n\r")), 0
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError("Expecting value")
        place = match.end()
        mark, quoted, other = match.groups()
        if mark is not None:
            yield mark, None
        elif quoted is not None:
            yield "text", _SHORT.decode(quoted)
        else:
            yield "other", _LONG.decode(other)
