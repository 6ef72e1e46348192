"""Law 2 and push refresh, model-checked: no pushed request is lost, whatever happens around it.

The store answers from what it held at first, as a replica that lags does, unless a request brings
the sync token of something newer: a token that gets lost is a publish that is not seen. Its answers
are where everything else happens: other threads publish and notify just before or after one, the
network breaks, somebody presses Ctrl-C or cancels the task.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appconfig_provider import aio, provider
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.inspection import inspect
from appconfig_provider._plan import Plan, Request, Response
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

T = TypeVar("T")

INTERVAL = 600.0
PUSH_DELAY = 40.0


class Broken(BaseException):
    """What Ctrl-C or a cancelled task raises in the middle of a request."""


class Driver(ScriptedDriver):
    """Scripted, and closed as the real one is."""

    def close(self) -> None:
        """There is nothing to close."""


class AsyncDriver(Driver):
    """The same, awaited."""

    async def run(self, plan: Plan[T]) -> T:  # type: ignore[override]  # this is awaited
        """Run a plan to its end, after others had their turn."""
        await asyncio.sleep(0)
        return super().run(plan)

    async def close(self) -> None:  # type: ignore[override]  # as above
        """There is nothing to close."""


def finished(work: Any) -> Any:
    """Await what is to be awaited."""
    return asyncio.run(_awaited(work)) if isinstance(work, Coroutine) else work


async def _awaited(work: Coroutine[Any, Any, T]) -> T:
    return await work


class Machine(RuleBasedStateMachine):
    """A provider, its store, and what a refresh owes."""

    mode = "sync"

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.version = 1
        self.owed: list[tuple[float, int]] = []
        """Times and versions of the events that no check that succeeded has answered for."""
        self.meanwhile: dict[int, tuple[str, float]] = {}
        """By the number of an answer of the refresh under way: what happens around it."""
        self.answered = 0
        self.refusing = False
        self.chance = 0.0

    @initialize()
    def load(self) -> None:
        """Load from the store."""
        given: dict[str, Any] = {
            "connection_string": CONNECTION,
            "refresh_on": ["sentinel"],
            "refresh_interval": INTERVAL,
            "push_delay": PUSH_DELAY,
            "retry_total": 0,
            "validate": self.validate,
        }
        known = context_for(self.clock, Keywords(**given).checked())
        context = replace(known, random=lambda: self.chance)
        self.driver = Driver(self.answer, self.clock)
        state = self.driver.run(start(context))
        if self.mode == "sync":
            self.config: Any = provider.AzureAppConfigurationProvider(
                context,
                self.driver,  # type: ignore[arg-type]  # it does what a provider asks of a driver
                state,
            )
        else:
            self.driver = AsyncDriver(self.answer, self.clock)
            self.config = aio.AzureAppConfigurationProvider(
                context,
                self.driver,  # type: ignore[arg-type]  # as above
                state,
            )
        self.checked = self.clock.monotonic()

    def validate(self, _: object) -> None:
        """Refuse a generation when the model says so."""
        if self.refusing:
            raise ValueError("refused")

    def answer(self, request: Request) -> Response:
        """Answer from the first version, or from as far as the request's token tells of."""
        what, chance = self.meanwhile.get(self.answered, ("", 0.0))
        self.answered += 1
        if what == "before":
            self.from_another_thread(chance)
        if what == "fails":
            raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")
        if what == "broken off":
            raise Broken
        response = self.response(request)
        if what == "after":
            self.from_another_thread(chance)
        return response

    def response(self, request: Request) -> Response:
        """Return what the lagging store says."""
        headers = dict(request.headers)
        reported = re.findall(r"t=(\d+)", headers.get("sync-token", ""))
        version = max(map(int, reported), default=1)
        if request.target.startswith("/kv/sentinel"):
            if headers.get("if-none-match") == f'"s{version}"':
                return status(304)
            return single(setting("sentinel", str(version), f"s{version}"))
        return page([setting("k", str(version))], etag=f"p{version}")

    def from_another_thread(self, chance: float) -> None:
        """Publish and notify on a thread; it must not have to wait for the refresh."""
        thread = threading.Thread(target=self.publish, args=(chance,), daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive(), "notify() waited for a refresh"

    @rule(chance=st.sampled_from([0.0, 0.25, 0.99]))
    def publish(self, chance: float) -> None:
        """Write a new version and push the event about it."""
        self.chance = chance
        self.version += 1
        token = f"t={self.version};sn={self.version}"
        self.config.notify(
            {
                "eventType": "Microsoft.AppConfiguration.KeyValueModified",
                "subject": "https://one.azconfig.io/kv/k",
                "data": {"syncToken": token},
            }
        )
        self.owed.append((self.clock.monotonic() + chance * PUSH_DELAY, self.version))

    @rule(seconds=st.sampled_from([0.5, 10.0, 30.0, 40.0, 700.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(refusing=st.booleans())
    def refuse(self, *, refusing: bool) -> None:
        """Begin or end to refuse new generations."""
        self.refusing = refusing

    @rule(
        force=st.sampled_from([False, False, True]),
        meanwhile=st.dictionaries(
            st.integers(0, 4),
            st.tuples(
                st.sampled_from(["before", "after", "fails", "broken off"]),
                st.sampled_from([0.0, 0.5]),
            ),
            max_size=3,
        ),
    )
    def refresh(self, *, force: bool, meanwhile: dict[int, tuple[str, float]]) -> None:
        """Refresh, while other things happen around its requests."""
        now, due_from = self.clock.monotonic(), self.due_from
        before, owed = self.driver.sent, list(self.owed)
        version = self.version
        self.meanwhile, self.answered, self.chance = meanwhile, 0, 0.0
        try:
            finished(self.config.refresh(force=force))
        except Broken:
            return
        finally:
            self.meanwhile = {}
        asked = self.driver.sent > before
        assert asked == (force or now >= due_from)
        if asked and self.config.status.backoff_until is None:
            self.owed = [one for one in self.owed if one not in owed]
            self.checked = now
            if self.config.status.last_error is None:
                assert int(self.config["k"]) >= max((v for _, v in owed), default=1)
        assert int(self.config["k"]) <= self.version
        assert version <= self.version

    @property
    def due_from(self) -> float:
        """When the next refresh is to happen, worked out from what the model knows."""
        wanted = self.owed[0][0] if self.owed else math.inf
        free: float = inspect(self.config).state.endpoints.free_at
        return max(min(wanted, self.checked + INTERVAL), free)

    @invariant()
    @precondition(lambda self: hasattr(self, "config"))
    def woken_in_time(self) -> None:
        """The number that refresh() compares is neither later nor sooner than it should be.

        It is sooner only while an event waits in the inbox, for the next call to read.
        """
        inside = inspect(self.config)
        if inside.inbox:
            assert inside.wake == -math.inf
        else:
            assert inside.wake == pytest.approx(self.due_from)

    def teardown(self) -> None:
        """Once it may, a refresh sees all that was published; then there is nothing more to do."""
        if not hasattr(self, "config"):
            return
        self.refusing = False
        for _ in range(3):
            self.clock.advance(700.0)
            finished(self.config.refresh())
        reported = max((version for _, version in self.owed), default=1)
        assert int(self.config["k"]) >= reported
        assert int(self.config["k"]) == self.version
        sent = self.driver.sent
        finished(self.config.refresh())
        assert self.driver.sent == sent
        finished(self.config.close())


class AsyncMachine(Machine):
    """The same for the aio provider."""

    mode = "aio"


FEW = settings(max_examples=60, stateful_step_count=20, deadline=None, database=None)


@pytest.mark.parametrize("machine", [Machine, AsyncMachine], ids=lambda machine: machine.mode)
def test_no_request_is_lost(machine: type[Machine]) -> None:
    """Each publish that was notified is seen by a refresh once its delay and any back-off are over.

    No request is sent before anything is due, and `refresh()` wakes up exactly when it should.
    """
    run_state_machine_as_test(machine, settings=FEW)
