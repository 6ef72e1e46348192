"""Sync tokens: which are read, which of a name counts, and how many fit into a header."""

from __future__ import annotations

import pytest

from appconfig_provider._azure.rest.sync_tokens import (
    SyncToken,
    newest_tokens,
    read_sync_tokens,
    sync_token_header,
)


@pytest.mark.parametrize(
    ("header", "tokens"),
    [
        ("zone=abc;sn=7", {"zone": SyncToken("abc", 7)}),
        (" a=1;sn=1 , b=2==;sn=2 ", {"a": SyncToken("1", 1), "b": SyncToken("2==", 2)}),
        ("a=1;sn=1,a=3;sn=3,a=2;sn=2", {"a": SyncToken("3", 3)}),
        ("a=1;sn=1,a=2;sn=1", {"a": SyncToken("2", 1)}),
        ("a=1", {}),
        ("a=1;sn=", {}),
        ("a=1;sn=x", {}),
        ("a=1;sn=12345678901234567890", {}),
        ("=1;sn=1", {}),
        ("a=;sn=1", {}),
        ("a b=1;sn=1", {}),
        ("a=1\n;sn=1", {}),
        ("ä=1;sn=1", {}),
        ("", {}),
        ("nonsense,a=1;sn=1", {"a": SyncToken("1", 1)}),
    ],
)
def test_what_is_no_token_is_passed_over(header: str, tokens: dict[str, SyncToken]) -> None:
    """A token has a name, a value and a number; of one name the highest number counts."""
    assert read_sync_tokens(header) == tokens


def test_a_token_that_was_renewed_stands_last() -> None:
    """So that it is the last to go where there are too many."""
    held = {"a": SyncToken("1", 1), "b": SyncToken("1", 1)}
    newest = newest_tokens(held, {"a": SyncToken("2", 2)}, {"b": SyncToken("0", 0)})
    assert sync_token_header(newest) == "b=1,a=2"
    assert sync_token_header(held) == "a=1,b=1"


@pytest.mark.parametrize(("length", "kept"), [(4083, 3), (4084, 2), (4090, 2), (4091, 1)])
def test_those_that_came_last_fit_into_a_header_of_4096_characters(length: int, kept: int) -> None:
    """The oldest go first; one that is longer by itself stays, because it is the newest."""
    tokens = {
        "old": SyncToken("12", 1),
        "mid": SyncToken("1", 1),
        "new": SyncToken("x" * (length - 4), 1),
    }
    newest = newest_tokens({}, tokens)
    assert list(newest) == ["old", "mid", "new"][3 - kept :]
    if kept > 1:
        assert len(sync_token_header(newest)) <= 4096
    assert len(newest_tokens({}, {"new": SyncToken("x" * 9000, 1)})) == 1
