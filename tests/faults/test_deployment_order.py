"""Which endpoint is tried, refresh after refresh: order, back-off per endpoint, recovery, lag."""

from __future__ import annotations

import itertools

import pytest

from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Response, Send
from tests.support.deployment import (
    ENDPOINTS,
    FAULTS,
    MOMENTS,
    Deployment,
    refusing,
    saying,
    whole,
)

ONE, TWO, THREE = ENDPOINTS
PAUSES = [30, 60, 120, 240, 480, 600, 600]


def pauses(deployment: Deployment, state: State, number: int) -> tuple[list[float], State]:
    """Refresh whenever it is due; return the seconds between these attempts."""
    moments = []
    for _ in range(number + 1):
        state = deployment.when_due(state).state
        moments.append(deployment.clock.monotonic())
    return [later - earlier for earlier, later in itertools.pairwise(moments)], state


@pytest.mark.parametrize("fault", ["refused", "503", "403", "garbage"])
def test_back_off_doubles_to_ten_minutes_and_one_success_resets_it(fault: str) -> None:
    """While nobody can, attempts are 30, 60, 120 .. 600 s apart, each asking everyone, once."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", FAULTS[fault])
    waited, state = pauses(deployment, state, len(PAUSES))
    assert waited == PAUSES
    assert deployment.asked() == list(ENDPOINTS)
    assert len(deployment.driver.requests) == len(ENDPOINTS)
    deployment.trouble.clear()
    state = deployment.when_due(state).state
    assert [endpoint.backoff.failures for endpoint in state.endpoints.all] == [0, 8, 8]
    deployment.afflict([ONE], "", FAULTS[fault])
    state = deployment.when_due(state).state
    assert state.endpoints.all[0].backoff.failures == 1, "the first failure after a success"


@pytest.mark.parametrize(("random", "longest"), [(0.0, 30.0), (1.0, 37.5)])
def test_back_off_is_spread_by_a_quarter_at_most(random: float, longest: float) -> None:
    """Jitter lengthens a back-off by up to a quarter, and never beyond ten minutes in all."""
    deployment = Deployment({"retry_total": 0}, random=random)
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", refusing)
    waited, _ = pauses(deployment, state, 7)
    assert waited[0] == longest
    assert waited[-1] == 600


def test_blips_that_each_healed_cost_the_same() -> None:
    """The sixth blip of an endpoint is backed off as short as the first one."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    for _ in range(6):
        deployment.afflict([ONE], "", saying(503))
        state = deployment.when_due(state).state
        assert state.attempt.endpoint == TWO
        first = state.endpoints.all[0].backoff
        assert (first.failures, first.until) == (1, deployment.clock.monotonic() + 30)
        deployment.trouble.clear()
        state = deployment.when_due(state).state
        assert state.attempt.endpoint == ONE


def test_only_the_endpoint_that_failed_is_left_alone() -> None:
    """While one endpoint backs off longer and longer, checks by the next keep their interval."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.afflict([ONE], "", refusing)
    asked_first = []
    for number in range(1, 41):
        state = deployment.when_due(state).state
        assert deployment.clock.monotonic() == 30 * number
        assert state.attempt.endpoint == TWO
        if deployment.asked()[0] == ONE:
            asked_first.append(number)
    assert asked_first == [1, 2, 4, 8, 16, 32]


def test_the_first_endpoint_is_used_again_once_it_recovers() -> None:
    """After its back-off the first endpoint in order is tried again, and the others are not."""
    deployment = Deployment({"retry_total": 0})
    deployment.afflict([ONE, TWO], "", saying(503))
    state = deployment.start()
    assert state.attempt.endpoint == THREE
    deployment.trouble.clear()
    for number in range(2, 5):
        deployment.version = number
        state = deployment.when_due(state).state
        assert whole(state) == number
        assert deployment.asked() == [ONE]


def test_turns_go_round_and_pass_over_who_backs_off() -> None:
    """With load balancing each check goes to the endpoint after the one used last."""
    deployment = Deployment({"load_balancing_enabled": True, "retry_total": 0})
    state = deployment.start()
    tried = []
    for number in range(14):
        if number == 3:
            deployment.afflict([TWO], "", saying(503))
        if number == 8:
            deployment.trouble.clear()
        state = deployment.when_due(state).state
        tried.append("+".join(url[8 : -len(".azconfig.io")] for url in deployment.asked()))
    assert tried == [
        *("two", "three", "one"),
        *("two+three", "one", "two+three", "one", "two+three"),
        *("one", "three", "one", "two", "three", "one"),
    ]


def test_refresh_is_quiet_while_all_back_off() -> None:
    """Nothing is asked and no timer moves until the first back-off is over; force asks everyone."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", saying(429, "45"))
    state = deployment.when_due(state).state
    assert state.due == 75
    for _ in range(44):
        deployment.clock.advance(1)
        outcome = deployment.refresh(state)
        assert deployment.driver.requests == []
        assert (outcome.error, outcome.state.timers) == (None, state.timers)
        assert outcome.state.endpoints == state.endpoints
    deployment.refresh(state, force=True)
    assert deployment.asked() == list(ENDPOINTS)


@pytest.mark.parametrize("moment", MOMENTS[1:])
def test_what_an_endpoint_said_before_it_failed_is_not_forgotten(moment: str) -> None:
    """Sync tokens of an attempt that failed are sent at the next one, and to nobody else."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    for version in (2, 3, 4):
        deployment.version = version
        deployment.afflict([ONE, TWO], moment, saying(503))
        state = deployment.refresh(state, force=True).state
    assert len({origin for origin, sent, _ in deployment.echoes if sent}) == 3
    assert all(sent == given for _, sent, given in deployment.echoes)


def taking_its_time(deployment: Deployment, send: Send) -> Response:
    """Fail after longer than any budget, as the name resolution of a system may."""
    deployment.clock.advance(150)
    raise RequestFailed(Kind.UNREACHABLE, send.request.origin, "the resolver hung")


def test_who_was_not_asked_for_lack_of_time_is_asked_next() -> None:
    """An endpoint that takes all the time backs off alone, and the next refresh asks the others."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.version = 2
    deployment.afflict([ONE], "", taking_its_time)
    outcome = deployment.when_due(state)
    assert deployment.asked() == [ONE]
    assert outcome.error is not None
    assert [one.backoff.failures for one in outcome.state.endpoints.all] == [1, 0, 0]
    outcome = deployment.refresh(outcome.state)
    assert deployment.asked() == [TWO]
    assert whole(outcome.state) == 2


def test_a_start_that_lacked_the_time_to_ask_is_no_permanent_failure() -> None:
    """A 403 by one endpoint is not the word of all when there was no time to ask the others."""
    deployment = Deployment({"retry_total": 0})

    def late_refusal(_: Deployment, send: Send) -> Response:
        deployment.clock.advance(150)
        return saying(403)(deployment, send)

    deployment.afflict([ONE], "", late_refusal)
    with pytest.raises(NobodyAnswered, match=r"two\.azconfig\.io: not asked") as caught:
        deployment.start()
    assert [failure.origin for failure in caught.value.failures] == list(ENDPOINTS)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("lagging", list(itertools.product([1, 2, 3], repeat=3)))
def test_no_combination_of_lag_rolls_back(lagging: tuple[int, int, int], balanced: bool) -> None:
    """Whoever of the three shows which older version, what is served never gets older or mixed."""
    deployment = Deployment({"load_balancing_enabled": balanced, "retry_total": 0})
    deployment.version = 3
    deployment.stale.update(zip(ENDPOINTS, lagging, strict=True))
    state = deployment.start()
    served = whole(state)
    assert served == lagging[0]
    for number in range(9):
        deployment.trouble.clear()
        deployment.afflict([ENDPOINTS[number % 3]], MOMENTS[number % 4], refusing)
        state = deployment.when_due(state).state
        assert whole(state) >= served
        served = whole(state)
    deployment.trouble.clear()
    deployment.stale.clear()
    for _ in ENDPOINTS:
        state = deployment.when_due(state).state
    assert whole(state) == 3


def test_failures_of_the_start_count() -> None:
    """An endpoint that failed in two rounds of load() is backed off for two failures afterwards."""
    deployment = Deployment({"retry_total": 0})
    deployment.afflict(ENDPOINTS, "", refusing)
    deployment.heal_after_sleeps(2, TWO)
    state = deployment.start()
    assert state.attempt.endpoint == TWO
    first = state.endpoints.all[0].backoff
    assert (first.failures, first.until) == (3, 10 + 120)
    deployment.trouble.clear()
    state = deployment.when_due(state).state
    assert deployment.asked() == [TWO]
