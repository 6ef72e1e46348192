"""What a load and a refresh ask the store for, in which order, and what is served then."""

from __future__ import annotations

from typing import Any

import pytest

from appconfig_provider._plan import Request, Response
from tests.support.asking import FLAGS, FRESH_FLAGS, PAGES, SENTINEL, Life, name_of
from tests.support.scripted import page, setting, status


@pytest.mark.parametrize(
    ("keywords", "refers", "asked", "served"),
    [
        (SENTINEL, False, "sentinel settings sentinel? verify", {"k": "1"}),
        ({}, False, "settings verify", {"k": "1"}),
        ({**SENTINEL, **FLAGS}, False, "sentinel settings flags sentinel? verify",
         {"k": "1", "flag": "1"}),
        (SENTINEL, True, "sentinel settings snapshot frozen sentinel? verify",
         {"k": "1", "f": "1"}),
        ({**SENTINEL, **FLAGS, "consistency": "point_in_time"}, False,
         "sentinel clock settings flags sentinel? verify", {"k": "1", "flag": "1"}),
    ],
)  # fmt: skip
def test_a_load_asks_for_sentinels_before_and_after_the_data(
    keywords: dict[str, Any], refers: bool, asked: str, served: dict[str, str]
) -> None:
    """The connections are checked last, when a displaced answer would have come."""
    life = Life(keywords, refers)
    assert " ".join(life.world.asked) == asked
    assert life.served() == served
    assert life.state.snapshot.consistent


REFRESHES: list[tuple[dict[str, Any], str, str, str, dict[str, str]]] = [
    (SENTINEL, "", "sentinel?", "", {"k": "1"}),
    (SENTINEL, "settings", "sentinel?", "", {"k": "1"}),
    (SENTINEL, "sentinel", "sentinel? settings? sentinel? verify", "sentinel", {"k": "1"}),
    (SENTINEL, "sentinel settings", "sentinel? settings? sentinel? verify", "sentinel",
     {"k": "2"}),
    ({**SENTINEL, **FLAGS}, "sentinel settings flags", "sentinel? settings? sentinel? verify",
     "sentinel", {"k": "2", "flag": "1"}),
    ({**SENTINEL, **FRESH_FLAGS}, "", "sentinel? flags?", "", {"k": "1", "flag": "1"}),
    ({**SENTINEL, **FRESH_FLAGS}, "flags settings", "sentinel? flags? verify", "flag",
     {"k": "1", "flag": "2"}),
    ({**SENTINEL, **FRESH_FLAGS}, "sentinel settings flags",
     "sentinel? flags? settings? sentinel? verify", "sentinel", {"k": "2", "flag": "2"}),
    ({**SENTINEL, **FRESH_FLAGS, "consistency": "point_in_time"}, "sentinel settings flags",
     "clock sentinel? flags? clock settings? flags? sentinel? verify", "sentinel",
     {"k": "2", "flag": "2"}),
    ({**SENTINEL, **FLAGS, "consistency": "point_in_time"}, "sentinel settings flags",
     "sentinel? clock settings? sentinel? verify", "sentinel", {"k": "2", "flag": "1"}),
    (PAGES, "", "settings?", "", {"k": "1"}),
    (PAGES, "settings", "settings? verify", "page", {"k": "2"}),
    ({**PAGES, **FLAGS}, "settings flags", "settings? verify", "page", {"k": "2", "flag": "1"}),
    ({**PAGES, **FRESH_FLAGS}, "settings flags", "settings? flags? verify", "page",
     {"k": "2", "flag": "2"}),
    ({**PAGES, **FRESH_FLAGS}, "flags", "settings? flags? verify", "flag",
     {"k": "1", "flag": "2"}),
    (FRESH_FLAGS, "settings flags", "flags? verify", "flag", {"k": "1", "flag": "2"}),
]  # fmt: skip


@pytest.mark.parametrize(("keywords", "moved", "asked", "reason", "served"), REFRESHES)
def test_a_refresh_loads_what_moved_and_nothing_else(
    keywords: dict[str, Any], moved: str, asked: str, reason: str, served: dict[str, str]
) -> None:
    """Every page that is known is asked for by its ETag; the reason says what moved."""
    life = Life(keywords)
    outcome, found = life.refresh(*moved.split())
    assert found == asked
    assert (outcome.changes.reason if outcome.changes is not None else "") == reason
    assert life.served() == served
    flags = {"beta"} if served.get("flag") == "2" else set()
    assert set(outcome.changes.flags if outcome.changes is not None else ()) == flags
    assert life.state.snapshot.version == (2 if reason else 1)
    again, found = life.refresh()
    assert again.changes is None, found


def test_a_moved_sentinel_asks_for_snapshots_of_references_by_their_etags() -> None:
    """A snapshot may have been replaced by another one of the name, so it is checked again."""
    life = Life(SENTINEL, refers=True)
    _, asked = life.refresh("sentinel")
    assert asked == "sentinel? settings? snapshot frozen? sentinel? verify"
    _, asked = life.refresh("sentinel", "frozen")
    assert life.served() == {"k": "1", "f": "2"}
    watching = Life(PAGES, refers=True)
    _, asked = watching.refresh()
    assert asked == "settings?"
    _, asked = watching.refresh("settings", "frozen")
    assert asked == "settings? snapshot frozen? verify"
    assert watching.served() == {"k": "2", "f": "2"}


def test_settings_and_flags_are_asked_for_by_their_own_timers() -> None:
    """Each is asked again one interval after it was asked; what is not due stays."""
    flags = {**FRESH_FLAGS, "feature_flag_refresh_interval": 50}
    life = Life({**SENTINEL, **flags, "refresh_interval": 20})
    asked = [life.refresh(after=after)[1] for after in (20.0, 20.0, 10.0, 10.0, 20.0, 20.0)]
    assert asked == [
        "sentinel?",
        "sentinel?",
        "flags?",
        "sentinel?",
        "sentinel?",
        "sentinel? flags?",
    ]
    assert life.refresh(after=0.0)[1] == ""


def test_force_asks_for_all_that_is_watched_before_its_time() -> None:
    """What is not watched is not asked for by force either; the reason is reported."""
    life = Life({**SENTINEL, **FRESH_FLAGS})
    outcome, asked = life.refresh("flags", after=0.0, force=True)
    assert asked == "sentinel? flags? verify"
    assert outcome.changes is not None
    assert outcome.changes.reason == "forced"
    assert Life(FLAGS).refresh("settings", "flags", force=True)[1] == ""


def test_a_load_that_stays_inconsistent_is_reported_until_the_next() -> None:
    """A sentinel that moves during each of three loads; the one after it is consistent again."""
    life = Life(SENTINEL)
    quiet = life.world.answer

    def moving(request: Request) -> Response:
        answer = quiet(request)
        if name_of(request) == "settings":
            life.world.versions["sentinel"] = life.world.versions.get("sentinel", 1) + 1
        return answer

    life.world.answer = moving
    _, asked = life.refresh("sentinel")
    assert asked == "sentinel? " + "settings? sentinel? verify " * 2 + "settings? sentinel? verify"
    assert not life.state.snapshot.consistent
    life.world.answer = quiet
    _, asked = life.refresh()
    assert asked == "sentinel? settings? sentinel? verify"
    assert life.state.snapshot.consistent


def test_pages_that_are_cut_otherwise_are_known_as_they_are_now() -> None:
    """Nothing is published, and the next check asks for the new pages by their ETags."""
    life = Life(PAGES)
    whole = life.world.answer
    first, later = [setting("a", "1")], [setting("k", "1")]

    def in_two(request: Request) -> Response:
        is_later = "after=" in request.target
        known = dict(request.headers).get("if-none-match")
        etag = f"{'later' if is_later else 'first'}"
        life.world.asked.append(etag + ("?" if known == f'"{etag}"' else ""))
        if known == f'"{etag}"':
            return status(304)
        answer = page(later if is_later else first, etag)
        link = {} if is_later else {"link": '</kv?after=a>; rel="next"'}
        return Response(200, {**answer.headers, **link}, answer.body)

    def in_one(request: Request) -> Response:
        whole(request)
        return page([*first, *later], "one")

    life.world.answer = in_one
    life.refresh()
    life.world.answer = in_two
    outcome, asked = life.refresh()
    assert outcome.changes is None
    assert asked == "first later"
    assert life.refresh()[1] == "first? later?"
