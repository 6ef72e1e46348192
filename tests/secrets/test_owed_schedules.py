"""Random schedules of rotations and failures, in virtual time: no rotation is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appconfig_provider import ConfigurationSnapshot, SettingSelector
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._plan import Request, Response
from tests.support.content import secret_id
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

pytestmark = pytest.mark.unmeasured

LONGEST = 1600
"""Seconds within which everything that is owed is read, once all trouble is over."""


@dataclass
class World:
    """A store with one secret, and whoever makes trouble for them."""

    watching: str
    policy: str
    version: int = 1
    secret: int = 1
    promised: int = 1
    """The oldest value of the secret that may be served in the end."""
    vault_fails: bool = False
    store_fails: bool = False
    refuses: bool = False
    driver: ScriptedDriver = field(init=False)
    context: Context = field(init=False)
    state: State = field(init=False)

    def __post_init__(self) -> None:
        watch: dict[str, Any] = {"sentinel": {"refresh_on": ["a"]}, "pages": {}}[self.watching]
        options = Keywords(
            connection_string=CONNECTION,
            replica_discovery_enabled=False,
            selects=[SettingSelector(key_filter="*")],
            refresh_enabled=True,
            secret_resolver=self.resolve,
            secret_policy=self.policy,
            validate=self.validate,
            retry_total=0,
            **watch,
        ).checked()
        self.driver = ScriptedDriver(self.answer)
        self.context = context_for(self.driver.clock, options)
        self.state = self.driver.run(start(self.context))

    def resolve(self, _uri: str) -> str:
        """Read the secret."""
        if self.vault_fails:
            raise TimeoutError
        return str(self.secret)

    def validate(self, snapshot: ConfigurationSnapshot) -> None:
        """Refuse settings that are newer than those being served."""
        if self.refuses and snapshot["a"] != self.state.snapshot["a"]:
            raise ValueError

    def answer(self, request: Request) -> Response:
        """Answer as the store."""
        if self.store_fails:
            return status(503)
        mark = setting("a", str(self.version), f"e{self.version}")
        if request.target.startswith("/kv/"):
            answer = single(mark)
        else:
            answer = page([mark, reference("pw", secret_id("pw"), "e0")], f"p{self.version}")
        known = dict(request.headers).get("if-none-match")
        return status(304) if known == answer.headers["etag"] else answer

    def refresh(self, *, force: bool = False) -> None:
        """Refresh, if anything is due."""
        if force or self.state.due <= self.driver.clock.monotonic():
            self.state = self.driver.run(refresh(self.context, self.state, force=force)).state

    def do(self, what: str) -> None:
        """Let one thing happen."""
        match what:
            case "rotate":
                self.secret += 1
            case "bump":
                self.version += 1
                self.promised = self.secret
            case "force":
                self.promised = self.secret
                self.refresh(force=True)
            case "vault" | "store" | "refusal":
                name = {"vault": "vault_fails", "store": "store_fails", "refusal": "refuses"}[what]
                setattr(self, name, not getattr(self, name))
            case seconds:
                self.driver.clock.advance(float(seconds))
                self.refresh()

    def heal(self) -> None:
        """End all trouble, and wait."""
        self.vault_fails = self.store_fails = self.refuses = False
        clock = self.driver.clock
        end = clock.monotonic() + LONGEST
        while self.state.due < end:
            clock.advance(max(self.state.due - clock.monotonic(), 1.0))
            self.refresh()


LENIENT = st.sampled_from(["omit", "keep_last"])
POLICIES = st.sampled_from(["omit", "keep_last", "raise"])
THINGS = ("rotate", "bump", "force", "vault", "store", "refusal", "1", "29", "31", "61", "700")


@pytest.mark.parametrize("watching", ["sentinel", "pages"])
@pytest.mark.parametrize("policy", ["keep_last", "omit", "raise"])
@settings(max_examples=120, deadline=None)
@given(schedule=st.lists(st.sampled_from(THINGS), max_size=14))
@example(["rotate", "bump", "31"])
@example(["61", "rotate", "bump", "vault", "31", "vault"])
@example(["61", "rotate", "bump", "refusal", "31"])
@example(["rotate", "store", "force"])
@example(["rotate", "bump", "31", "rotate", "bump", "31", "vault", "61"])
def test_no_rotation_is_lost(policy: str, watching: str, schedule: list[str]) -> None:
    """After every reload that was told of it a secret is served as it was then, or newer."""
    world = World(watching, policy)
    for what in schedule:
        world.do(what)
    world.heal()
    assert int(str(world.state.snapshot["pw"])) >= world.promised
    assert world.state.snapshot["a"] == str(world.version)
    assert world.state.attempt.error is None


@settings(max_examples=100, deadline=None)
@given(
    schedule=st.lists(st.sampled_from(THINGS), max_size=14),
    policy=LENIENT,
)
def test_nothing_is_owed_when_all_is_well(policy: str, schedule: list[str]) -> None:
    """Once all trouble is over nothing but the interval makes a refresh due."""
    world = World("sentinel", policy)
    for what in schedule:
        world.do(what)
    world.heal()
    assert world.state.due == world.state.timers.settings


@settings(max_examples=100, deadline=None)
@given(
    schedule=st.lists(st.sampled_from(THINGS), max_size=14),
    policy=POLICIES,
)
def test_a_refresh_makes_the_next_one_wait(policy: str, schedule: list[str]) -> None:
    """Whatever failed, two refreshes leave nothing due at the same moment: no caller spins."""
    world = World("sentinel", policy)
    for what in schedule:
        world.do(what)
        world.refresh()
        world.refresh()
        assert world.state.due > world.driver.clock.monotonic()
