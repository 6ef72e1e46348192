"""JSON with comments reads as the same JSON without them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider._azure.settings.content import parse_json

from .strategies import JSON_VALUES

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')

INNER = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6)
LINES = st.builds("//{}{}".format, INNER, st.sampled_from(["\n", "\r\n"]))
BLOCKS = st.builds(
    "/*{}*/".format,
    st.lists(INNER, max_size=2).map("\n".join).filter(lambda text: "*/" not in text + "*"),
)
BLANKS = st.sampled_from(["", " ", "\n", "\t"])
GAPS = st.lists(LINES | BLOCKS | BLANKS, max_size=3).map("".join)
MARKERS = st.lists(st.sampled_from(["//", "/*", "*/", '"', "\\", "\n", "x", "/"]), max_size=6)


def tokens_of(value: Any, *, ascii_only: bool) -> list[str]:
    return TOKEN.findall(json.dumps(value, ensure_ascii=ascii_only))


def same_json(text: str, value: Any) -> bool:
    return json.dumps(parse_json(text)) == json.dumps(value)


@given(JSON_VALUES, st.booleans(), st.data())
def test_comments_between_tokens_do_not_matter(
    value: Any, ascii_only: bool, data: st.DataObject
) -> None:
    """Line and block comments anywhere between tokens leave the value as it is."""
    text = data.draw(GAPS)
    for token in tokens_of(value, ascii_only=ascii_only):
        text += token + data.draw(GAPS)
    assert same_json(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1 /* a */, 2 /* b */]", [1, 2]),
        ("/**/ 1 /***/", 1),
        ('// a\n{"a": 1} // b', {"a": 1}),
        ("[1, // a\r\n 2 /* b\n c */]", [1, 2]),
        ('{"u": "http://x/*y*/" /* " */}', {"u": "http://x/*y*/"}),
        ('["\\"//", "/*"] // "', ['"//', "/*"]),
    ],
)
def test_comments_end_where_they_end(text: str, value: Any) -> None:
    """A block comment ends at the first `*/`, a line comment at the end of the line."""
    assert same_json(text, value)


@given(st.lists(MARKERS.map("".join)), st.sampled_from(["", "// end", "/* end */"]))
def test_comment_markers_inside_strings_are_text(texts: list[str], comment: str) -> None:
    """`//`, `/*` and `*/` in names and values stay, with and without real comments around."""
    value = {text: [text] for text in texts}
    assert same_json(json.dumps(value) + comment, value)


@given(JSON_VALUES)
def test_json_without_comments_is_read_as_it_is(value: Any) -> None:
    """What `json.dumps` wrote is read back, values and types."""
    assert same_json(json.dumps(value), value)


@pytest.mark.parametrize(
    "text", ["1/**/2", "tr/**/ue", '{"a"/**/}', "/* open", "// only", "[1,] // x", "/*/", "{} /"]
)
def test_a_comment_does_not_repair_broken_json(text: str) -> None:
    """A comment separates tokens and joins none; what is broken without it stays broken."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000 + "/**/"])
def test_nesting_without_end_is_bad_json_and_no_crash(text: str) -> None:
    """JSON nested deeper than Python goes is a ValueError like any other bad JSON."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)
