"""JSON from outside, decoded within bounds that do not depend on the caller.

Python decodes nested JSON by recursion, so the depth that it can decode depends on how much of the
stack the caller has used. A body of 100,000 brackets raises RecursionError, and so does normal JSON
if the caller is deep inside a program. Here the bound is `MAX_DEPTH`: a text within it is always
decoded, without recursion if needed, and a text beyond it is always refused.
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
"""Digits of a whole number. The time to read one grows with the square of their count."""


class Undecodable(ValueError):
    """A text is not JSON, or is beyond the bounds. The message does not quote it."""


def decode(text: str | bytes) -> Any:
    """Decode JSON; `NaN` and `Infinity` are accepted, as by Python's own decoder.

    Raises:
        Undecodable: it is not JSON, or nested too deeply, or has a number that is too long.
    """
    try:
        return _decode(text if isinstance(text, str) else text_of(text))
    except ValueError as error:
        why = "bytes that are no text" if isinstance(error, UnicodeError) else str(error)
    # Raised outside of the `except` block, so that the decoder's error is not its context: that one
    # holds the whole text, which may be a secret.
    raise Undecodable(why)


def text_of(body: bytes) -> str:
    """Return the text of a JSON document: UTF-8, UTF-16 or UTF-32, with a byte order mark or none.

    Raises:
        UnicodeError: the bytes are no text.
    """
    return body.decode(json.detect_encoding(body), "surrogatepass")


def decode_with_comments(text: str) -> Any:
    """Decode JSON in which `//` and `/* */` comments are allowed.

    Raises:
        Undecodable: it is not JSON, with or without comments, or as `decode` says. The line and the
            column in the message are those of the text with its comments.
    """
    try:
        return decode(text)
    except Undecodable:
        if "/" not in text:
            raise
    return decode(_COMMENT.sub(_without_comment, text))


def decode_relaxed(text: str) -> Any:
    """Decode JSON in which comments and a comma after the last item are allowed.

    Raises:
        Undecodable: as `decode_with_comments` says.
    """
    try:
        return decode_with_comments(text)
    except Undecodable:
        if "," not in text:
            raise
    return decode(_LAST_COMMA.sub(_without_comment, _COMMENT.sub(_without_comment, text)))


_COMMENT = re.compile(r'//[^\r\n]*|/\*.*?\*/|(/\*.*|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))', re.DOTALL)
"""A comment, or (as a group) a string or a comment without an end, which stay. A string or comment
without an end matches up to the end of the text. Otherwise it would be tried again from each later
position, in a time that grows with the square of the length.
"""
_LAST_COMMA = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{,][ \t\r\n]*,)|,(?=[ \t\r\n]*[\]}])', re.DOTALL
)
"""A comma behind the last item, or (as a group) a string or a comma without an item, which stay."""
_NOT_LINE_END = re.compile(r"[^\r\n]")


def _without_comment(match: re.Match[str]) -> str:
    # Blanks instead of the comment, so that `1/**/2` does not become a number, and that whatever
    # follows keeps its line and its column.
    return match[1] or _NOT_LINE_END.sub(" ", match[0])


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


_SHORT = json.JSONDecoder()
_LONG = json.JSONDecoder(parse_int=_whole_number)
"""For texts that are long enough for a number beyond `MAX_DIGITS`. It is slower than `_SHORT`,
because it calls a Python function for each number."""


def _decode(text: str) -> object:
    if _too_deep(text):
        raise _nested_too_deeply()
    decoder = _SHORT if len(text) <= MAX_DIGITS else _LONG
    try:
        return decoder.decode(text)
    except RecursionError:
        pass  # the caller has used up the stack
    return decode_without_recursion(text)


def _nested_too_deeply() -> ValueError:
    return ValueError(f"nested deeper than {MAX_DEPTH} levels")


_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_QUOTED = re.compile(rb'"[^"]*"?')
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_INNERMOST = (b"{}", b"[]", b"{}")


def _too_deep(text: str) -> bool:
    """Tell whether brackets are nested deeper than `MAX_DEPTH`.

    Texts are looked at before Python's decoder sees them, because it would recurse to the end of
    the stack. Lists that it makes there start the garbage collector, and the finalizers that this
    one calls, of any object of the program, would fail for want of stack.

    The limit counts for what stands before the first mistake in a text, as a decoder stops there.
    A page of settings passes here often, so the work is left to functions written in C.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = _brackets(text)
    outer = brackets
    for pair in _INNERMOST:  # each time, at most one level less
        outer = outer.replace(pair, b"")
    if len(outer) + len(_INNERMOST) <= MAX_DEPTH:
        return False
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH


def _brackets(text: str) -> bytes:
    """Return the brackets outside of quoted texts."""
    body = text.encode("utf-8", "surrogatepass")
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Of two quotes side by side the first ends what the second begins, or the other way round:
    # without them everything else is inside or outside as before.
    marks = body.translate(None, _NO_MARKS).replace(b'""', b"")
    return _QUOTED.sub(b"", marks) if b'"' in marks else marks


_TOKEN = re.compile(
    r'[ \t\n\r]*(?:([\[\]{}:,])|("[^"\\]*(?:\\.[^"\\]*)*")|([^\s\[\]{}:,"]+))', re.DOTALL
)

_VALUE = frozenset({"[", "{", "text", "other"})
_NAME = frozenset({"text"})
_COLON = frozenset({":"})
_OPENED = {"[": _VALUE | {"]"}, "{": _NAME | {"}"}}
_FOLLOWING: dict[type, frozenset[str]] = {list: frozenset({",", "]"}), dict: frozenset({",", "}"})}


def decode_without_recursion(text: str) -> object:
    """Decode JSON as `decode` does, without recursion; about twenty times slower.

    Raises:
        ValueError: as `decode`.
    """
    reader = _Reader()
    for kind, scalar in _tokens(text):
        reader.take(kind, scalar)
    return reader.whole()


class _Reader:
    """Builds a JSON value from tokens; `_allowed` are the kinds of token that may come next."""

    def __init__(self) -> None:
        self._nests: list[Any] = [[]]
        """The objects and arrays that are open; the first is an array that gets the whole value."""
        self._names: list[str | None] = [None]
        """For each of them: the name whose value comes next, in an object."""
        self._allowed = _VALUE

    def take(self, kind: str, scalar: object) -> None:
        """Take the next token."""
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
        """Return the value after the last token."""
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
    """Yield the tokens of JSON: punctuation as it is, texts and other scalars decoded."""
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
