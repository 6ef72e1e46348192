"""An engine in virtual time whose store tells what it was asked for, in which order.

The store has one page for each listing, and everything in it has a version: the setting `k`, the
flag `beta`, the sentinel, `f` in the snapshot `one`, which a setting may refer to, and the secret
that `pw` points to where there is something to resolve it with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider import SettingSelector
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Effect, Request, Response, Send, VerifyConnections
from appconfig_provider.testing import FakeClock
from tests.support.content import FLAG_TYPE, secret_id
from tests.support.files import Files
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    reference,
    setting,
    single,
    status,
)

REFERENCE_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
DATE = "Fri, 20 Nov 2026 23:52:02 GMT"

FLAGS = {"feature_flag_enabled": True}
FRESH_FLAGS = {**FLAGS, "feature_flag_refresh_enabled": True}
SENTINEL = {"refresh_on": ["sentinel"]}
PAGES = {"refresh_enabled": True}


class World(ScriptedDriver):
    """A store of one page for each listing; what is asked with an ETag is noted with a `?`."""

    asked: list[str]
    versions: dict[str, int]
    refers: bool
    keeps_secret: bool
    displaced: int
    """How many times more a check of the connections finds that answers were displaced."""
    deadlines: dict[str, float]
    """Of the last request for each thing: until when it may take, in seconds from its beginning."""

    def _perform(self, effect: Effect[object]) -> object:
        if isinstance(effect, VerifyConnections):
            self.asked.append("verify")
            if self.displaced:
                self.displaced -= 1
                raise RequestFailed(Kind.UNSOLICITED, effect.origin, "more came than was asked for")
        if isinstance(effect, Send):
            left = effect.deadline - self.clock.monotonic()
            self.deadlines[name_of(effect.request)] = left
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
    world.keeps_secret, world.displaced, world.deadlines = False, 0, {}
    return world


def contents(world: World, name: str, etag: str) -> Response:
    """Return what the store holds now."""
    number = str(world.versions.get(name, 1))
    to_snapshot = setting("r", '{"snapshot_name": "one"}', "r", content_type=REFERENCE_TYPE)
    flag = json.dumps({"enabled": True, "number": number})
    pages = {
        "settings": [
            setting("k", number),
            *([to_snapshot] if world.refers else []),
            *([reference("pw", secret_id("pw"), "s")] if world.keeps_secret else []),
        ],
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
    files: Files = field(default_factory=Files)
    world: World = field(init=False)
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.world = world_of(refers=self.refers)
        self.world.files = self.files
        self.world.keeps_secret = "secret_resolver" in self.keywords
        given = {
            "connection_string": CONNECTION,
            "selects": [SettingSelector(key_filter="*")],
            "replica_discovery_enabled": False,
            **self.keywords,
        }
        self.context = context_for(self.world.clock, Keywords(**given).checked())
        self.state = self.world.run(start(self.context))

    def refresh(
        self, *moved: str, after: float = 1e4, force: bool = False
    ) -> tuple[Outcome[State], str]:
        """Refresh once, after some things have moved; return what was asked, too."""
        outcome, asked = self.attempt(*moved, after=after, force=force)
        assert outcome.error is None
        return outcome, asked

    def attempt(
        self, *moved: str, after: float = 1e4, force: bool = False
    ) -> tuple[Outcome[State], str]:
        """Do the same where it may fail."""
        for name in moved:
            self.world.versions[name] = self.world.versions.get(name, 1) + 1
        self.world.asked.clear()
        self.world.clock.advance(after)
        outcome = self.world.run(refresh(self.context, self.state, force=force))
        self.state = outcome.state
        return outcome, " ".join(self.world.asked)

    def served(self) -> dict[str, str]:
        """Return the version of each thing that is served, which readers see in both forms."""
        assert dict(self.state.values) == dict(self.state.snapshot)
        found = {
            name: str(self.state.snapshot[name])
            for name in ("k", "f", "pw")
            if name in self.state.snapshot
        }
        flags: Any = self.state.snapshot.get("feature_management")
        if flags is not None:
            found["flag"] = flags["feature_flags"][0]["number"]
        return found
