"""Back-off: never early, growing, capped, forgotten after a success."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.access import StoreAccess, rules
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.backoff import FIRST_BACKOFF, MAX_BACKOFF, Backoff
from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._plan import Schedule, Sleep, Steps, perform, plan
from appconfig_provider.testing import FakeClock

NOW = st.floats(0, 1e6)
INTERVALS = st.floats(1, 86_400)
JITTER = st.floats(0, 1)
JITTERS = st.lists(JITTER, min_size=2, max_size=80)
ASKED = st.floats(0, 1e12)
SLACK = 1e-6
"""For sums of floats."""


def pauses(jitters: list[float], interval: float, now: float = 0.0) -> list[float]:
    """Return how long each of several failures in a row is waited for."""
    backoff, waited = Backoff(), []
    for jitter in jitters:
        backoff = backoff.after_failure(now, interval=interval, jitter=jitter)
        waited.append(backoff.until - now)
    return waited


@given(JITTERS, INTERVALS, NOW)
def test_a_back_off_is_never_early_and_never_past_the_cap(
    jitters: list[float], interval: float, now: float
) -> None:
    """The n-th wait is min(30 s, interval) · 2^(n-1), up to a quarter more, 600 s at most."""
    for place, waited in enumerate(pauses(jitters, interval, now)):
        wanted = min(FIRST_BACKOFF, interval) * 2**place
        assert min(wanted, MAX_BACKOFF) - SLACK <= waited
        assert waited <= min(wanted * 1.25, MAX_BACKOFF) + SLACK


@given(JITTERS, INTERVALS)
def test_back_offs_grow_until_the_cap(jitters: list[float], interval: float) -> None:
    """Whatever chance says, each wait is longer than the one before, until it is the cap."""
    for before, after in pairwise(pauses(jitters, interval)):
        assert after > before or before == after == MAX_BACKOFF


@given(INTERVALS, JITTER)
def test_a_long_outage_stays_at_the_cap(interval: float, jitter: float) -> None:
    """Years of failures do not overflow: the wait stays 600 s."""
    backoff = Backoff(failures=10**6).after_failure(0.0, interval=interval, jitter=jitter)
    assert backoff.until == MAX_BACKOFF


@given(JITTER, INTERVALS, ASKED, st.integers(0, 40))
def test_what_the_store_asks_for_is_waited_for_within_the_cap(
    jitter: float, interval: float, asked: float, failures: int
) -> None:
    """`Retry-After` lengthens a back-off, never shortens it, and never passes the cap."""
    begun = Backoff(failures)
    plain = begun.after_failure(0.0, interval=interval, jitter=jitter)
    reported = begun.after_failure(0.0, interval=interval, jitter=jitter, at_least=asked)
    assert reported.until == min(max(plain.until, asked), MAX_BACKOFF)


def test_a_fresh_back_off_is_over() -> None:
    """What has not failed, or has succeeded since, is free at any time."""
    assert Backoff().until < 0
    assert Backoff().failures == 0


@given(st.lists(st.booleans(), max_size=12), INTERVALS)
def test_a_back_off_counts_the_failures_since_the_last_success(
    answers: list[bool], interval: float
) -> None:
    """Of an endpoint that failed and answered in any order, only the last failures count."""
    context = context_of(interval)
    endpoints = first_endpoints(context.options)
    for answers_now in answers:
        endpoints = attempt(context, endpoints, answers_now).endpoints
    in_a_row = next((place for place, one in enumerate(reversed(answers)) if one), len(answers))
    assert endpoints.all[0].backoff.failures == in_a_row
    assert (endpoints.all[0].backoff.until > context.clock.monotonic()) is (in_a_row > 0)


def context_of(interval: float) -> Context:
    """Return the world of a plan: one store, a clock that stands still, no jitter."""
    options = Keywords(
        connection_string="Endpoint=http://localhost:1;Id=i;Secret=c2VjcmV0",
        refresh_interval=interval,
    ).checked()
    return Context(options, None, FakeClock(), lambda: 0.0, ())


def attempt(context: Context, endpoints: Endpoints, succeeds: bool) -> Answered[None] | Exhausted:
    """Do a job at the endpoint that needs no request and ends as it is told to."""

    @plan
    def job(attempt: EndpointAttempt) -> Steps[None]:
        yield from perform(Sleep(0.0))
        if not succeeds:
            raise RequestFailed(Kind.UNREACHABLE, attempt.session.origin, "scripted")

    schedule = Schedule(
        first_answer(
            StoreAccess(context),
            rules(context),
            endpoints,
            Budget(10.0, Allowance(10.0, "a test")),
            job,
            force=True,
        )
    )
    (pause,) = schedule.start()
    assert schedule.answer(pause, None) == []
    return schedule.result()
