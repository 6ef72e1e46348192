"""What a load and a refresh ask the store for, in which order, and what is served then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._engine.refresh import Outcome, refresh
from appconfig_provider._engine.startup import start
from appconfig_provider._engine.state import State
from appconfig_provider._plan import Effect, Request, Response, VerifyConnections
from appconfig_provider.options import Options
from appconfig_provider.testing import FakeClock
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
REFERENCE_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
DATE = "Fri, 20 Nov 2026 23:52:02 GMT"

FLAGS = {"feature_flag_enabled": True}
FRESH_FLAGS = {**FLAGS, "feature_flag_refresh_enabled": True}
SENTINEL = {"refresh_on": ["sentinel"]}
PAGES = {"refresh_enabled": True}


class World(ScriptedDriver):
    """A store of one page for each listing; what is asked with an ETag is told with a `?`."""

    asked: list[str]
    versions: dict[str, int]
    refers: bool

    def _perform(self, effect: Effect[object]) -> object:
        if isinstance(effect, VerifyConnections):
            self.asked.append("verify")
        return super()._perform(effect)


def name_of(request: Request) -> str:
    """Return what a request asks for."""
    target = request.target
    if request.method == "HEAD":
        return "clock"
    if target.startswith("/kv/sentinel"):
        return "sentinel"
    if target.startswith("/snapshots/"):
        return "snapshot"
    if "snapshot=" in target:
        return "frozen"
    return "flags" if "featureflag" in target else "settings"


def world_of(*, refers: bool = False) -> World:
    """Return a store in which everything is of the first version."""

    def answer(request: Request) -> Response:
        name = name_of(request)
        etag = f"{name}{world.versions.get(name, 1)}"
        known = dict(request.headers).get("if-none-match")
        world.asked.append(name + ("?" if known else ""))
        if known == f'"{etag}"':
            return status(304)
        found = contents(world, name, etag)
        past = {"memento-datetime": DATE, "date": DATE}
        return Response(found.status, {**found.headers, **past}, found.body)

    world = World(answer, FakeClock())
    world.asked, world.versions, world.refers = [], {}, refers
    return world


def contents(world: World, name: str, etag: str) -> Response:
    """Return what the store holds now."""
    number = str(world.versions.get(name, 1))
    reference = setting("r", '{"snapshot_name": "one"}', "r", content_type=REFERENCE_TYPE)
    flag = json.dumps({"enabled": True, "number": number})
    pages = {
        "settings": [setting("k", number), *([reference] if world.refers else [])],
        "frozen": [setting("f", number)],
        "flags": [setting(".appconfig.featureflag/beta", flag, etag, content_type=FLAG_TYPE)],
    }
    if name in pages:
        return page(pages[name], etag)
    if name == "sentinel":
        return single(setting("sentinel", number, etag))
    if name == "clock":
        return status(200)
    return Response(200, {}, b'{"status": "ready", "composition_type": "key"}')


@dataclass
class Life:
    """A provider's engine, and the store it talks to."""

    keywords: dict[str, Any]
    refers: bool = False
    world: World = field(init=False)
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.world = world_of(refers=self.refers)
        given = {
            "connection_string": CONNECTION,
            "selects": [SettingSelector(key_filter="*")],
            "replica_discovery_enabled": False,
            **self.keywords,
        }
        self.context = context_for(self.world.clock, Options(**given))
        self.state = self.world.run(start(self.context))

    def refresh(self, *moved: str, after: float = 1e4, force: bool = False) -> tuple[Outcome, str]:
        """Refresh once, after some things have moved; return what was asked, too."""
        for name in moved:
            self.world.versions[name] = self.world.versions.get(name, 1) + 1
        self.world.asked.clear()
        self.world.clock.advance(after)
        outcome = self.world.run(refresh(self.context, self.state, force=force))
        assert outcome.error is None
        self.state = outcome.state
        return outcome, " ".join(self.world.asked)

    def served(self) -> dict[str, str]:
        """Return the version of each thing that is served."""
        found = {
            name: str(self.state.snapshot[name])
            for name in ("k", "f")
            if name in self.state.snapshot
        }
        flags: Any = self.state.snapshot.get("feature_management")
        if flags is not None:
            found["flag"] = flags["feature_flags"][0]["number"]
        return found


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
    """The connections are looked at last, when a displaced answer would have come."""
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
    assert life.state.snapshot.version == (2 if reason else 1)
    again, found = life.refresh()
    assert again.changes is None, found


def test_a_moved_sentinel_asks_for_snapshots_of_references_by_their_etags() -> None:
    """A snapshot may have been replaced by another one of the name, so it is looked at again."""
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
    """What is not watched is not asked for by force either; the reason is told."""
    life = Life({**SENTINEL, **FRESH_FLAGS})
    outcome, asked = life.refresh("flags", after=0.0, force=True)
    assert asked == "sentinel? flags? verify"
    assert outcome.changes is not None
    assert outcome.changes.reason == "forced"
    assert Life(FLAGS).refresh("settings", "flags", force=True)[1] == ""


def test_a_load_that_stays_inconsistent_is_told_until_the_next() -> None:
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
