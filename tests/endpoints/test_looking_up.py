"""Asking DNS for the replicas of a store, by a resolver that answers as it is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from appconfig_provider._azure.endpoints.discovery import discover
from appconfig_provider._azure.endpoints.order import first_endpoints, host_of_endpoint
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._plan import Effect, Request, ResolveSrv, Response
from appconfig_provider.testing import FakeClock
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    status,
)

ORIGIN = "_origin._tcp.one.azconfig.io"
FIRST = "_alt0._tcp.one.azconfig.io"


def never(request: Request) -> Response:
    """Send nothing."""
    raise AssertionError(request)


class Resolver(ScriptedDriver):
    """Remembers the deadline of each look-up, which takes a second."""

    deadlines: list[float]

    def _perform(self, effect: Effect[object]) -> object:
        if isinstance(effect, ResolveSrv):
            self.deadlines.append(effect.deadline)
            self.clock.advance(1.0)
        return super()._perform(effect)


def look_up(
    answers: Mapping[str, tuple[str, ...]], *, deadline: float = 1e6, failing: bool = False
) -> tuple[Endpoints, Resolver, float]:
    """Ask DNS once; return what is known then, the resolver, and when it began."""

    def names(name: str) -> tuple[str, ...]:
        if failing:
            raise OSError("no DNS")
        return answers.get(name, ())

    driver = Resolver(never, FakeClock(), names=names)
    driver.deadlines = []
    options = Keywords(connection_string=CONNECTION, refresh_interval=10).checked()
    context = context_for(driver.clock, options, random=1.0)
    began = driver.clock.monotonic()
    return driver.run(discover(context, first_endpoints(options), deadline)), driver, began


def hosts(endpoints: Endpoints) -> list[str]:
    """Return the host names of the endpoints."""
    return [host_of_endpoint(one) for one in endpoints.all]


def test_the_first_of_all_is_asked_for_and_then_its_replicas_set_by_set() -> None:
    """Sets are numbered from 0 and asked for until one is empty; names are taken in lower case."""
    endpoints, driver, _ = look_up(
        {
            ORIGIN: ("MAIN.azconfig.io", "ignored.azconfig.io"),
            "_alt0._tcp.main.azconfig.io": ("east.azconfig.io", "WEST.azconfig.io"),
            "_alt1._tcp.main.azconfig.io": ("north.azconfig.io",),
        }
    )
    assert driver.looked_up == [
        ORIGIN, *(f"_alt{number}._tcp.main.azconfig.io" for number in range(3)),
    ]  # fmt: skip
    assert hosts(endpoints) == [
        f"{name}.azconfig.io" for name in ("one", "main", "east", "west", "north")
    ]


def test_a_store_without_an_origin_has_no_replicas() -> None:
    """Where DNS names no origin inside the domain, nothing more is asked."""
    for answer in ((), ("one.example.org",)):
        endpoints, driver, began = look_up({ORIGIN: answer})
        assert driver.looked_up == [ORIGIN]
        assert hosts(endpoints) == ["one.azconfig.io"]
        assert endpoints.discovery == Backoff(0, began + 3600.0)


def test_an_answer_is_kept_for_an_hour() -> None:
    """The hour begins when the question was asked."""
    endpoints, _, began = look_up({ORIGIN: ("one.azconfig.io",), FIRST: ("two.azconfig.io",)})
    assert hosts(endpoints) == ["one.azconfig.io", "two.azconfig.io"]
    assert endpoints.discovery == Backoff(0, began + 3600.0)


def test_a_set_with_nobody_to_believe_does_not_end_the_sets() -> None:
    """Names outside the domain are left out; only an empty set is the last."""
    answers = {
        ORIGIN: ("one.azconfig.io",),
        FIRST: ("two.example.org",),
        FIRST.replace("0", "1"): ("two.azconfig.io",),
    }
    endpoints, _, _ = look_up(answers)
    assert hosts(endpoints) == ["one.azconfig.io", "two.azconfig.io"]


def test_sets_without_end_are_not_followed_without_end() -> None:
    """Sets of nobody end with the seventeenth; others once more than sixteen names are known."""
    origin = {ORIGIN: ("one.azconfig.io",)}
    numbered = [f"_alt{number}._tcp.one.azconfig.io" for number in range(40)]
    _, driver, _ = look_up({**origin, **dict.fromkeys(numbered, ("two.example.org",))})
    assert driver.looked_up[1:] == numbered[:17]
    sets = {
        name: tuple(f"r{number}{letter}.azconfig.io" for letter in "abcde")
        for number, name in enumerate(numbered)
    }
    endpoints, driver, _ = look_up({**origin, **sets})
    assert driver.looked_up[1:] == numbered[:4]
    assert len(endpoints.all) == 17


@pytest.mark.parametrize("left", [3.0, 5.0, 60.0])
def test_dns_gets_five_seconds_and_no_more_than_are_left(left: float) -> None:
    """All look-ups together end by the sooner of both."""
    began = FakeClock().monotonic()
    answers = {ORIGIN: ("one.azconfig.io",), FIRST: ("two.azconfig.io",)}
    _, driver, _ = look_up(answers, deadline=began + left)
    assert set(driver.deadlines) == {began + min(left, 5.0)}
    assert len(driver.deadlines) == 3


def test_a_failure_is_tried_again_after_a_back_off() -> None:
    """It begins when DNS has failed; the endpoints stay as they are."""
    endpoints, _, began = look_up({}, failing=True)
    assert hosts(endpoints) == ["one.azconfig.io"]
    assert endpoints.discovery == Backoff(1, began + 1.0 + 12.5)


@pytest.mark.parametrize(("wait", "pauses"), [("2", [2.0]), ("2.1", []), (None, [0.4])])
def test_the_only_endpoint_is_asked_again_when_dns_names_nobody(
    wait: str | None, pauses: list[float]
) -> None:
    """After the wait it asks for, two seconds at most."""

    def answer(_request: Request) -> Response:
        if driver.slept:
            return page([setting("k", "v")])
        return status(503, {"retry-after": wait} if wait else {})

    driver = ScriptedDriver(answer, FakeClock())
    options = Keywords(connection_string=CONNECTION, startup_timeout=0).checked()
    context = context_for(driver.clock, options)
    if pauses:
        assert driver.run(start(context)).snapshot["k"] == "v"
    else:
        with pytest.raises(NobodyAnswered):
            driver.run(start(context))
    assert driver.slept == pauses
    assert driver.looked_up == [ORIGIN]


def test_dns_is_not_asked_once_the_time_is_used_up() -> None:
    """An endpoint that took all of it leaves none for a look-up."""

    def slow(_request: Request) -> Response:
        driver.clock.advance(10.0)
        return status(503)

    driver = ScriptedDriver(slow, FakeClock())
    options = Keywords(connection_string=CONNECTION, startup_timeout=10, retry_total=0).checked()
    with pytest.raises(NobodyAnswered):
        driver.run(start(context_for(driver.clock, options)))
    assert driver.looked_up == []
    assert len(driver.requests) == 1
