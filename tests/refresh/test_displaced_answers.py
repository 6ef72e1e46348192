"""Where a check of the connections finds more than was asked for, all is loaded anew."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.asking import FRESH_FLAGS, PAGES, SENTINEL, Life


@pytest.mark.parametrize(
    ("keywords", "moved", "asked", "served"),
    [
        (SENTINEL, "sentinel settings",
         "sentinel? settings? sentinel? verify sentinel? settings sentinel? verify", {"k": "2"}),
        (PAGES, "settings", "settings? verify settings? settings verify", {"k": "2"}),
        ({**SENTINEL, **FRESH_FLAGS}, "flags",
         "sentinel? flags? verify sentinel? flags? settings sentinel? verify",
         {"k": "1", "flag": "2"}),
        (FRESH_FLAGS, "flags", "flags? verify flags? verify", {"k": "1", "flag": "2"}),
    ],
)  # fmt: skip
def test_settings_are_read_without_their_etags_after_displaced_answers(
    keywords: dict[str, Any], moved: str, asked: str, served: dict[str, str]
) -> None:
    """What was loaded before may have been spoilt, too, so that no page of it is believed."""
    life = Life(keywords)
    life.world.displaced = 1
    outcome, found = life.refresh(*moved.split())
    assert found == asked
    assert outcome.changes is not None
    assert life.served() == served


def test_a_load_begins_again_at_the_sentinels() -> None:
    """Nothing of what was read is used; the second time it counts as trouble of the endpoint."""
    life = Life(SENTINEL)
    life.world.displaced = 2
    outcome, asked = life.attempt("sentinel", "settings")
    assert asked == "sentinel? settings? sentinel? verify sentinel? settings sentinel? verify"
    assert "more came than was asked for" in str(outcome.error)
    assert life.served() == {"k": "1"}
    assert life.state.endpoints.all[0].backoff.failures == 1


def test_nothing_is_looked_at_while_nothing_moved() -> None:
    """Answers that all say 304 hold nothing that could have been displaced."""
    for keywords in (SENTINEL, PAGES):
        life = Life(keywords)
        life.world.displaced = 1
        assert "verify" not in life.refresh()[1]


@pytest.mark.parametrize(
    ("keywords", "moved", "seconds"),
    [
        (SENTINEL, "", {"sentinel": 20.0}),
        (SENTINEL, "sentinel", {"sentinel": 30.0, "settings": 30.0}),
        (PAGES, "", {"settings": 30.0}),
        (FRESH_FLAGS, "", {"flags": 30.0}),
        ({**SENTINEL, **FRESH_FLAGS}, "", {"sentinel": 30.0, "flags": 30.0}),
    ],
)
def test_what_reads_data_has_the_time_of_a_reload(
    keywords: dict[str, Any], moved: str, seconds: dict[str, float]
) -> None:
    """A check of sentinels alone has that of a check, until one of them has moved."""
    life = Life(keywords)
    life.world.deadlines.clear()
    life.refresh(*moved.split())
    assert life.world.deadlines == seconds
