"""A store that asks for less gets less: fewer requests at once for the rest of the attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.exchange import BACKGROUND_CONCURRENCY, MAX_CONCURRENCY
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Pending, Plan, Request, Response, Schedule, Send, Sleep
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

PAGES = 300
FAR = 0.05
"""Seconds of an answer: so far away that as many requests at once pay as there may be."""


class SideBySide(ScriptedDriver):
    """Keeps all requests under way that a plan wants, and answers the oldest one first."""

    def __init__(self, answer: Callable[[Request], Response], clock: FakeClock) -> None:
        super().__init__(answer, clock)
        self.under_way: list[int] = []
        """Requests under way, counted before each answer."""

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end."""
        schedule = Schedule(plan)
        waiting: list[Pending] = []
        try:
            waiting += schedule.start()
            while waiting:
                waiting = [pending for pending in waiting if not pending.void]
                self.under_way.append(sum(isinstance(one.effect, Send) for one in waiting))
                # A pause is short, and over before the next answer.
                waiting.sort(key=lambda pending: not isinstance(pending.effect, Sleep))
                pending = waiting.pop(0)
                waiting += schedule.answer(pending, self.attempt(pending.effect))
            return schedule.result()
        finally:
            schedule.close()


class Store:
    """A store of many pages, which is asked for too much now and then."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.driver = SideBySide(self.answer, self.clock)
        self.version = 1
        self.throttled: list[int] = []
        """At which request of a reload, counted from 1, it asks for patience."""
        self.asked = 0
        options = Keywords(
            connection_string=CONNECTION,
            refresh_on=["sentinel"],
            replica_discovery_enabled=False,
            retry_total=10,
        ).checked()
        self.context = context_for(self.clock, options)

    def answer(self, request: Request) -> Response:
        """Answer from far away."""
        self.clock.advance(FAR)
        if request.target.startswith("/kv/sentinel"):
            return single(setting("sentinel", str(self.version), f"s{self.version}"))
        self.asked += 1
        if self.asked in self.throttled:
            return status(429, {"retry-after-ms": "10"})
        number = int(request.target.partition("after=")[2] or 0)
        answer = page([setting(f"k{number:03}", str(self.version))], f"{number}-{self.version}")
        if number == PAGES - 1:
            return answer
        link = f'</kv?after={number + 1}>; rel="next"'
        return Response(200, {**answer.headers, "link": link}, answer.body)

    def start(self) -> State:
        """Load."""
        return self.driver.run(start(self.context))

    def reload(self, state: State, *, most: int = MAX_CONCURRENCY) -> Outcome[State]:
        """Refresh after every page changed."""
        self.version += 1
        self.asked = 0
        self.clock.advance(max(0.0, state.due - self.clock.monotonic()))
        self.driver.under_way.clear()
        context = replace(self.context, max_concurrency=most)
        return self.driver.run(refresh(context, state, force=False))


def settled(under_way: list[int], answers: int) -> int:
    """Return the most requests under way once those are over that were after so many answers."""
    return max(under_way[answers + MAX_CONCURRENCY + 4 :])


@pytest.mark.parametrize("most", [MAX_CONCURRENCY, BACKGROUND_CONCURRENCY])
def test_without_a_429_as_many_as_allowed_are_under_way(most: int) -> None:
    """A far store is asked for as many pages at once as the provider may."""
    store = Store()
    outcome = store.reload(store.start(), most=most)
    assert outcome.error is None
    assert max(store.driver.under_way) == most


@pytest.mark.parametrize("most", [MAX_CONCURRENCY, BACKGROUND_CONCURRENCY])
@pytest.mark.parametrize("times", [1, 2, 3, 4, 5, 6])
def test_each_429_halves_the_requests_at_once(times: int, most: int) -> None:
    """After each 429 half as many requests are under way, one at least, and all is loaded."""
    store = Store()
    state = store.start()
    store.throttled = [1 + 40 * time for time in range(times)]
    outcome = store.reload(state, most=most)
    assert outcome.error is None
    assert set(outcome.state.snapshot.values()) == {"2"}
    assert settled(store.driver.under_way, 0) <= most
    left = max(1, most // 2**times)
    assert settled(store.driver.under_way, store.throttled[-1]) == left


def test_the_next_attempt_begins_with_all_of_them_again() -> None:
    """What a 429 made of an attempt is forgotten with it: back-off is what slows a refresh down."""
    store = Store()
    state = store.start()
    store.throttled = [1]
    state = store.reload(state).state
    store.throttled = []
    store.reload(state)
    assert max(store.driver.under_way) == MAX_CONCURRENCY
