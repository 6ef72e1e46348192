"""An error in JSON with comments names its place in the text as it was written."""

from __future__ import annotations

import pytest

from appconfig_provider.decoding import Undecodable, decode_with_comments


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("// one\n/* two\nthree */ [1, x]", "line 3 column 14"),
        ('{"a": 1, /* x */ b}', "line 1 column 18"),
        ("[1,\r\n// x\r\n y]", "line 3 column 2"),
        ('{"a": "//", b}', "line 1 column 13"),
    ],
)
def test_comments_move_nothing(text: str, place: str) -> None:
    """Line and column count the characters of comments, too."""
    with pytest.raises(Undecodable, match=place):
        decode_with_comments(text)
