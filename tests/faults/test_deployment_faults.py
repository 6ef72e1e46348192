"""Every fault, at every moment, at each endpoint, at two and at all three: in virtual time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import RequestFailed
from tests.support.deployment import (
    ENDPOINTS,
    FAULTS,
    MOMENTS,
    PERMANENT,
    RETRIED_LAST,
    WAITED_FOR,
    Deployment,
    saying,
    whole,
)

RETRIES = 1
GROUPS = [group for size in (1, 2, 3) for group in itertools.combinations(ENDPOINTS, size)]
AFTER_THE_FIRST = (*ENDPOINTS[1:], ENDPOINTS[0])


def deployments() -> Iterator[tuple[Deployment, tuple[str, ...], str]]:
    """Give a new deployment for each group of endpoints in trouble, place in a load and order."""
    for group, moment, balanced in itertools.product(GROUPS, MOMENTS, (False, True)):
        keywords: dict[str, object] = {
            "load_balancing_enabled": balanced,
            "retry_total": RETRIES,
            "startup_timeout": 0,
        }
        yield Deployment(keywords), group, moment


def counts(fault: str, group: tuple[str, ...], moment: str, order: tuple[str, ...]) -> list[int]:
    """Return how many requests each endpoint gets, in their order, until one has answered."""
    failing = MOMENTS.index(moment) + 1
    asked = []
    for endpoint in order:
        again = fault in WAITED_FOR or (fault in RETRIED_LAST and endpoint == order[-1])
        tries = failing + (RETRIES if again else 0)
        asked.append(tries if endpoint in group else len(MOMENTS))
        if endpoint not in group:
            break
    return asked


def check_requests(deployment: Deployment, order: tuple[str, ...], expected: list[int]) -> None:
    """Check who was asked how often, in which order, and what the requests told."""
    requests = deployment.driver.requests
    per_endpoint = Counter(request.origin for request in requests)
    assert deployment.asked() == list(order[: len(expected)])
    assert [per_endpoint[endpoint] for endpoint in deployment.asked()] == expected
    tried = [origin for origin, _ in itertools.groupby(request.origin for request in requests)]
    assert len(tried) == len(expected), "nobody is asked again in the same round"
    for request in requests:
        reported = dict(request.headers)["correlation-context"].split(",")
        assert "ReplicaCount=2" in reported
        assert ("Features=LB" in reported) is deployment.options.store.balances
        assert ("Failover" in reported) is (request.origin != order[0])
    assert all(sent == given for _, sent, given in deployment.echoes)


def check_backoff(state: State, fault: str, failed: tuple[str, ...], began: float) -> None:
    """Check that those who failed are left alone from then on, and nobody else."""
    least = 60 if fault == "429, wait a minute" else 30
    for endpoint in state.endpoints.all:
        backoff = endpoint.backoff
        if endpoint.store.url in failed:
            assert backoff.failures == 1
            assert began + least <= backoff.until
        else:
            assert backoff.failures == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_load_is_done_by_the_first_endpoint_that_can(fault: str) -> None:
    """load() asks in the given order, each endpoint once and anew, and takes one endpoint's word.

    When nobody can, it is over at once if waiting cannot help, else within its budget.
    """
    for deployment, group, moment in deployments():
        deployment.afflict(group, moment, FAULTS[fault])
        expected = counts(fault, group, moment, ENDPOINTS)
        if len(group) < len(ENDPOINTS):
            state = deployment.start()
            assert whole(state) == 1
            assert state.attempt.endpoint == ENDPOINTS[len(expected) - 1]
            check_backoff(state, fault, ENDPOINTS[: len(expected) - 1], 0)
        else:
            with pytest.raises(RequestFailed if fault in PERMANENT else NobodyAnswered):
                deployment.start()
        assert deployment.clock.monotonic() <= deployment.options.load_budget
        assert fault not in PERMANENT or deployment.clock.monotonic() == 0
        check_requests(deployment, ENDPOINTS, expected)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refresh_is_done_by_the_first_endpoint_that_can(fault: str) -> None:
    """refresh() asks in turn; with one endpoint able a change arrives whole, with none nothing.

    With load balancing the first one asked is the one after the endpoint that was used last.
    """
    for deployment, group, moment in deployments():
        before = deployment.start()
        deployment.version = 2
        deployment.afflict(group, moment, FAULTS[fault])
        deployment.clock.advance(30)
        began = deployment.clock.monotonic()
        outcome = deployment.refresh(before)
        state = outcome.state
        order = AFTER_THE_FIRST if deployment.options.store.balances else ENDPOINTS
        expected = counts(fault, group, moment, order)
        check_requests(deployment, order, expected)
        options, took = deployment.options, deployment.clock.monotonic() - began
        assert took <= (options.check_budget if moment == "sentinel" else options.load_budget)
        if len(group) < len(ENDPOINTS):
            assert whole(state) == 2
            assert outcome.error is None
            check_backoff(state, fault, order[: len(expected) - 1], began)
        else:
            assert whole(state) == 1
            assert state.snapshot is before.snapshot
            assert outcome.error is not None
            assert state.timers == before.timers
            check_backoff(state, fault, order, began)
            assert state.due == state.endpoints.free_at


@pytest.mark.parametrize("first", FAULTS)
def test_only_answers_that_are_all_permanent_end_the_start_at_once(first: str) -> None:
    """Of all ways that three endpoints can fail, only 400, 401 and 403 by all three raise at once.

    Any other is waited for, and the load is done as soon as one endpoint recovers.
    """
    others = list(FAULTS)[list(FAULTS).index(first) :]
    for second, third in itertools.combinations_with_replacement(others, 2):
        deployment = Deployment({"retry_total": 0})
        faults = (first, second, third)
        for endpoint, fault in zip(ENDPOINTS, faults, strict=True):
            deployment.afflict([endpoint], "", FAULTS[fault])
        if PERMANENT.issuperset(faults):
            with pytest.raises(RequestFailed, match=f"answered {first} "):
                deployment.start()
            assert deployment.driver.slept == []
            continue
        deployment.heal_after_sleeps(1)
        state = deployment.start()
        assert whole(state) == 1
        assert len(deployment.driver.slept) == 1
        assert deployment.clock.monotonic() <= deployment.options.load_budget


def test_a_listing_that_nobody_has_is_permanent() -> None:
    """404 is an answer for a sentinel and none for a listing; by all of them it ends the start."""
    deployment = Deployment()
    deployment.afflict(ENDPOINTS, "sentinel", saying(404))
    assert whole(deployment.start()) == 1
    deployment = Deployment()
    deployment.afflict(ENDPOINTS, "first page", saying(404))
    with pytest.raises(RequestFailed, match="answered 404"):
        deployment.start()
    assert deployment.driver.slept == []
    assert len(deployment.driver.requests) == 6


@pytest.mark.parametrize("startup", [0.4, 1, 7, 100, 300])
def test_a_start_that_nobody_answers_ends_in_time(startup: float) -> None:
    """Whatever is wrong everywhere, load() is over when its budget is, and used most of it."""
    for fault in FAULTS.keys() - PERMANENT:
        deployment = Deployment({"startup_timeout": startup})
        deployment.afflict(ENDPOINTS, "", FAULTS[fault])
        with pytest.raises(NobodyAnswered):
            deployment.start()
        took = deployment.clock.monotonic()
        assert took <= startup
        assert took >= min(startup - 60, startup / 2) or startup < 1
