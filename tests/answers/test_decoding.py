"""JSON decoded without recursion is what Python decodes, and refused where Python refuses it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.decoding import (
    MAX_DEPTH,
    MAX_DIGITS,
    Undecodable,
    decode,
    decode_without_recursion,
)

GOOD = (
    "1", "-1.5e3", '"a"', "true", "false", "null", "[]", "{}", "[[]]", '[{"a": []}]',
    ' [ 1 , "x,]" , null ] ', '{"a": 1, "b": {"c": [2, {"d": "e"}]}, "a": 3}',
    '{"": ""}', r'"\u00e9\"\\"', '"ä😀"', "\t\n\r 1 \t", '[1,[2,[3]],{"a":{}}]', '{"a":[],"b":{}}',
    "Infinity", "[true,false,null]",
    '{"x": {"a": 1, "b": 2}, "y": [{"c": 3, "d": {"e": 4, "f": 5}}]}',
)  # fmt: skip
BAD = (
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[,1]", "[1,]", "[1 2]", "1 2", '{"a"}', '{"a":}',
    '{"a":1,}', '{"a" 1}', "{1: 2}", '{"a":1 "b":2}', "{,}", "[}", "{]", '{"a":1]', "[1}", '"a',
    "nul", "'a'", "1,", ":", ",", '"a":1', "[1:2]", '{"a":1:2}', '{"a",1}', "[]]", "{}{}",
    "01", "+1", "1X", '{"a":1,2:3}', '{"a":1,[]:3}', '["a" "b"]', '{"a":"b" "c"}', "{{}}", "{[]:1}",
)  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_good_json_is_read_as_python_reads_it(text: str) -> None:
    """By either way, with objects in their order and the last of a name counting."""
    expected = json.loads(text)
    assert decode_without_recursion(text) == expected
    assert json.dumps(decode(text)) == json.dumps(expected)


@pytest.mark.parametrize("text", BAD)
def test_bad_json_is_refused(text: str) -> None:
    """Whatever stands where it may not, or is missing."""
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(ValueError):
        decode_without_recursion(text)
    with pytest.raises(Undecodable):
        decode(text)


@pytest.mark.parametrize("nest", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("read", [decode, decode_without_recursion])
def test_json_may_be_a_hundred_levels_deep(nest: tuple[str, str], read: object) -> None:
    """One more is refused, by either way."""
    assert callable(read)

    def nested(levels: int) -> str:
        inner = "1" if nest[0] != "[" else ""
        return nest[0] * levels + inner + nest[1] * levels

    read(nested(MAX_DEPTH))
    with pytest.raises(ValueError, match="nested deeper than 100 levels"):
        read(nested(MAX_DEPTH + 1))
    wide = "[" + ",".join(["[[]]"] * 80) + "]"
    assert read(wide) == json.loads(wide)


_HOSTILE = st.text(r'[]{}"\\/nu', max_size=12)


@given(texts=st.lists(_HOSTILE, min_size=60, max_size=80), depth=st.integers(90, 110))
def test_brackets_and_quotes_in_texts_are_no_depth(texts: list[str], depth: int) -> None:
    """Whatever stands in texts, only what is nested counts."""
    inner = json.dumps([{"name": text, text: [text, {}]} for text in texts])
    text = f"{'[' * (depth - 4)}{json.dumps(texts[0])},{inner}{']' * (depth - 4)}"
    if depth > MAX_DEPTH:
        with pytest.raises(Undecodable, match="nested deeper"):
            decode(text)
    else:
        assert decode(text) == json.loads(text)


@given(text=st.text(r'[]{}"\\,:1 ', max_size=300))
def test_any_text_is_read_as_python_reads_it(text: str) -> None:
    """Broken ones are refused, whatever they nest before or after the mistake."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(Undecodable):
            decode(text)
    else:
        assert decode(text) == expected


@pytest.mark.parametrize("read", [decode, decode_without_recursion])
def test_a_whole_number_may_have_4300_digits(read: object) -> None:
    """One more is refused; a float of many digits is a float."""
    assert callable(read)
    assert read("1" * MAX_DIGITS) == int("1" * MAX_DIGITS)
    with pytest.raises(ValueError, match="more than 4300 digits"):
        read("1" * (MAX_DIGITS + 1))
    assert read("0." + "1" * 9000) == pytest.approx(1 / 9)
    assert math.isinf(read("1" + "0" * 400 + ".0"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": "ä"}'.encode(), {"a": "ä"}),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
        (b'"\xed\xa0\x80"', "\ud800"),
    ],
)
def test_bytes_are_read_in_the_encoding_they_are_in(content: bytes, expected: object) -> None:
    """Half a character is a part of the text, as Python's own reader has it."""
    assert decode(content) == expected


def test_an_error_holds_nothing_of_the_text() -> None:
    """It says why, and not what; bytes that are no text are reported as such."""
    with pytest.raises(Undecodable) as caught:
        decode('{"secret": "hunter2"')
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
    with pytest.raises(Undecodable, match="bytes that are no text"):
        decode(b'"\xff"')
