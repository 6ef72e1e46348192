"""In which order the endpoints of a store are asked, how often, and after which waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader
from tests.support.deployment import ENDPOINTS, Deployment, refusing, saying
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

ONE, TWO, THREE = ENDPOINTS
MOMENTS = ("sentinel", "first page", "later page", "sentinel again")
FAILING = (500, 502, 503, 504, 501, 520)


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with two replicas and two pages, on a clock that both sides live by."""
    with FakeClock() as clock, Emulator(replicas=2, page_size=2, clock=clock) as emulator:
        for key in ("app/host", "app/more", "app/port", "sentinel"):
            emulator.set(key, "1")
        clock.advance(2)
        yield emulator


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store with all its endpoints is loaded, with retries as by default."""
    return {
        "connection_string": store.connection_string,
        "replicas": [replica.connection_string for replica in store.replicas],
        "selects": [SettingSelector(key_filter="app/*")],
        "refresh_on": ["sentinel"],
        **more,
    }


def at(moment: str, code: int) -> Callable[[RequestRecord], Scripted | None]:
    """Answer with a status at one moment of a load."""
    listed: list[str] = []

    def answer(record: RequestRecord) -> Scripted | None:
        if record.target.startswith("/kv/sentinel"):
            now = "sentinel again" if listed else "sentinel"
        else:
            now = "later page" if "after=" in record.target else "first page"
            listed.append(now)
        return Scripted(code) if now == moment else None

    return answer


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("code", FAILING[:4])
@pytest.mark.parametrize("moment", MOMENTS)
def test_beside_a_healthy_endpoint_each_failing_one_gets_one_try(
    load: Loader, store: Emulator, code: int, moment: str, balanced: bool
) -> None:
    """A 5xx, wherever in a load it comes, moves to the next endpoint at once, without any wait."""
    asked = MOMENTS.index(moment) + 1
    with FakeClock() as clock, ExitStack() as stack:
        for endpoint in (store, store.replicas[0]):
            stack.enter_context(endpoint.respond(at(moment, code)))
        with load(**keywords(store, load_balancing_enabled=balanced)) as config:
            assert config.status.endpoint == store.replicas[1].endpoint
            assert config.status.requests_sent == 2 * asked + 4
            for endpoint in (store, store.replicas[0]):
                assert len(endpoint.requests) == asked
        assert clock.monotonic() == 0


def test_a_check_asks_a_failing_endpoint_once(load: Loader, store: Emulator) -> None:
    """A refresh passes over endpoints that answer 503 with one request each, at once."""
    with FakeClock() as clock, load(**keywords(store)) as config, ExitStack() as stack:
        for endpoint in (store, *store.replicas):
            endpoint.clear_requests()
        for endpoint in (store, store.replicas[0]):
            stack.enter_context(endpoint.respond(lambda _: Scripted(503)))
        clock.advance(30)
        config.refresh()
        assert [len(one.requests) for one in (store, *store.replicas)] == [1, 1, 1]
        assert clock.monotonic() == 30
        assert config.status.last_error is None
        assert config.status.endpoint == store.replicas[1].endpoint


@pytest.mark.parametrize("code", FAILING)
def test_every_5xx_goes_to_the_next_endpoint(code: int) -> None:
    """Any status from 500 on is the endpoint's own trouble, also one that nobody ever retries."""
    deployment = Deployment()
    deployment.afflict([ONE, TWO], "", saying(code))
    state = deployment.start()
    assert state.attempt.endpoint == THREE
    assert Counter(one.origin for one in deployment.driver.requests) == {ONE: 1, TWO: 1, THREE: 4}
    assert deployment.driver.slept == []


def test_only_the_endpoint_tried_last_is_asked_again() -> None:
    """When all answer 503, the last one is asked again after 0.4 and 0.8 s, and nobody else."""
    deployment = Deployment()
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", saying(503))
    outcome = deployment.when_due(state)
    assert outcome.error is not None
    assert deployment.driver.slept == [0.4, 0.8]
    assert [one.origin for one in deployment.driver.requests] == [ONE, TWO, THREE, THREE, THREE]
    assert [one.backoff.failures for one in outcome.state.endpoints.all] == [1, 1, 1]


@pytest.mark.parametrize(("random", "pauses"), [(0.0, [0.4, 0.8]), (1.0, [0.5, 1.0])])
def test_the_pauses_are_spread_by_a_quarter_at_most(random: float, pauses: list[float]) -> None:
    """Jitter makes a pause up to a quarter longer."""
    deployment = Deployment(random=random)
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", saying(503))
    deployment.when_due(state)
    assert deployment.driver.slept == pauses


def test_an_unreachable_last_endpoint_is_not_asked_again() -> None:
    """Nobody listens at the last one: the attempt is over, whatever the others answered."""
    deployment = Deployment()
    state = deployment.start()
    deployment.afflict([ONE, TWO], "", saying(503))
    deployment.afflict([THREE], "", refusing)
    deployment.when_due(state)
    assert [one.origin for one in deployment.driver.requests] == list(ENDPOINTS)
    assert deployment.driver.slept == []


@pytest.mark.parametrize("fault", [(408, None), (429, "1"), (429, None)])
def test_an_endpoint_that_asks_for_patience_is_waited_for(fault: tuple[int, str | None]) -> None:
    """408 and 429 are retried at the same endpoint, though others are well, when the wait fits."""
    deployment = Deployment()
    deployment.afflict([ONE], "later page", saying(*fault))
    deployment.heal_after_sleeps(1)
    state = deployment.start()
    assert state.attempt.endpoint == ONE
    assert deployment.driver.slept == ([1.0] if fault[1] else [0.4])


@pytest.mark.parametrize("code", [408, 429, 503])
def test_a_wait_that_does_not_fit_becomes_a_back_off(code: int) -> None:
    """A `Retry-After` of a minute is not slept for: the next endpoint is asked, this one rests."""
    deployment = Deployment()
    deployment.afflict([ONE], "", saying(code, "60"))
    state = deployment.start()
    assert deployment.driver.slept == []
    assert state.attempt.endpoint == TWO
    assert state.endpoints.all[0].backoff.until == 60


class Single:
    """A store with one known endpoint and two pages in virtual time; DNS may name a replica."""

    random = 0.0

    def __init__(self, *named: str, **more: object) -> None:
        self.trouble: Callable[[Request], Response | None] = lambda _: None
        self.clock = FakeClock()
        self.driver = ScriptedDriver(self.answer, self.clock)
        hosts = ["one.azconfig.io", *named]
        self.driver.names = lambda name: tuple(
            hosts[:1] if name.startswith("_origin") else hosts[int(name[4]) + 1 :][:1]
        )
        self.options = Keywords(
            connection_string=CONNECTION,
            refresh_on=["sentinel"],
            **more,  # type: ignore[arg-type]  # keywords come as they are
        ).checked()

    def answer(self, request: Request) -> Response:
        """Answer as the store does."""
        trouble = self.trouble(request) if request.origin == ONE else None
        if trouble is not None:
            return trouble
        if request.target.startswith("/kv/sentinel"):
            return single(setting("sentinel", "1"))
        if "after=" in request.target:
            return page([setting("b", "1")], "q")
        first = page([setting("a", "1")], "p")
        return Response(200, {**first.headers, "link": '</kv?after=a>; rel="next"'}, first.body)

    def start(self) -> State:
        """Load."""
        return self.driver.run(start(context_for(self.clock, self.options, self.random)))

    def refresh(self, state: State) -> Outcome[State]:
        """Refresh once, now."""
        return self.driver.run(refresh(context_for(self.clock, self.options), state, force=False))

    def asked(self) -> list[str]:
        """Return what was asked for, in short."""
        short = {"/kv/sentinel": "sentinel", "/kv": "page"}
        return [short[one.target.partition("?")[0]] for one in self.driver.requests]


def failing(times: int, target: str) -> Callable[[Request], Response | None]:
    """Answer 503 so many times to what holds a text."""
    answers = iter(range(times))

    def trouble(request: Request) -> Response | None:
        return status(503) if target in request.target and next(answers, None) is not None else None

    return trouble


@pytest.mark.parametrize("target", ["sentinel", "after="])
def test_dns_is_asked_before_the_last_endpoint_is_retried(target: str) -> None:
    """A store with one known endpoint that answers 503 is left for the replica that DNS names."""
    store = Single("two.azconfig.io")
    store.trouble = failing(100, target)
    state = store.start()
    assert state.attempt.endpoint == TWO
    assert store.driver.slept == []
    before = ["sentinel"] if target == "sentinel" else ["sentinel", "page", "page"]
    assert store.asked() == [*before, "sentinel", "page", "page", "sentinel"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_without_a_replica_the_last_endpoint_is_asked_again(times: int) -> None:
    """DNS names nobody: the job begins anew after 0.4 s, then a request is repeated after 0.8 s."""
    store = Single(startup_timeout=0)
    store.trouble = failing(times, "after=")
    whole = ["sentinel", "page", "page"]
    if times == 3:
        with pytest.raises(NobodyAnswered):
            store.start()
        assert store.asked() == [*whole, *whole, "page"]
    else:
        state = store.start()
        assert state.endpoints.all[0].backoff.failures == 0
        again = ["page"] if times == 2 else []
        assert store.asked() == [*whole, *whole, *again, "sentinel"]
    assert store.driver.slept == [0.4, 0.8][:times]
    assert len(store.driver.looked_up) == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_store_with_one_endpoint_repeats_the_request_that_failed(times: int) -> None:
    """Where there is nobody else to ask, a 503 in the middle costs one request, not the load."""
    store = Single(replica_discovery_enabled=False)
    store.trouble = failing(times, "after=")
    store.start()
    assert store.asked() == ["sentinel", "page", *["page"] * (times + 1), "sentinel"]
    assert store.driver.slept == [0.4, 0.8][:times]


@pytest.mark.parametrize("discovery", [False, True])
def test_retry_total_bounds_the_retries(discovery: bool) -> None:
    """`retry_total` is how often the last endpoint is asked again; 0 is never."""
    for total in range(4):
        store = Single(replica_discovery_enabled=discovery, retry_total=total, startup_timeout=0)
        store.trouble = failing(100, "sentinel")
        with pytest.raises(NobodyAnswered):
            store.start()
        assert len(store.driver.requests) == 1 + total
        assert len(store.driver.slept) == total
        assert len(store.driver.looked_up) == (2 if discovery else 0)


def test_a_round_is_one_failure_of_an_endpoint() -> None:
    """However often the last endpoint was asked in a round, its back-off grows by one step."""
    store = Single()
    state = store.start()
    store.trouble = failing(100, "sentinel")
    for failures in (1, 2):
        store.clock.advance(state.due - store.clock.monotonic())
        store.driver.requests.clear()
        state = store.refresh(state).state
        assert len(store.driver.requests) == 3
        assert state.endpoints.all[0].backoff.failures == failures


def test_a_network_error_asks_dns_and_then_nobody() -> None:
    """An endpoint that cannot be reached is not asked again in the round, with or without DNS."""
    store = Single(startup_timeout=0)

    def unreachable(request: Request) -> Response:
        raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")

    store.trouble = unreachable
    with pytest.raises(NobodyAnswered):
        store.start()
    assert len(store.driver.requests) == 1
    assert store.driver.slept == []
    assert len(store.driver.looked_up) == 2


def test_the_pause_after_dns_is_spread_too() -> None:
    """The first retry after a look-up is up to a quarter later, as any."""
    store = Single(startup_timeout=0)
    store.random = 1.0
    store.trouble = failing(100, "sentinel")
    with pytest.raises(NobodyAnswered):
        store.start()
    assert store.driver.slept == [0.5, 1.0]


@pytest.mark.parametrize(("startup", "wait"), [(100, "2.1"), (1.2, "1.5")])
def test_a_wait_after_dns_must_fit_too(startup: float, wait: str) -> None:
    """A `Retry-After` beyond two seconds, or beyond what is left, ends the round after DNS."""
    store = Single(startup_timeout=startup)
    once = failing(1, "sentinel")

    def trouble(request: Request) -> Response | None:
        answer = once(request)
        return None if answer is None else Response(503, {"retry-after": wait})

    store.trouble = trouble
    if startup > 2:
        assert store.start().attempt.endpoint == ONE
        assert store.driver.slept == [5.0], "the next round of the start"
    else:
        with pytest.raises(NobodyAnswered):
            store.start()
        assert store.driver.slept == []
    assert store.clock.monotonic() <= startup


def test_the_last_endpoint_is_put_back_once_only() -> None:
    """DNS that may be asked again during the pause makes no third lap of the same endpoint."""
    store = Single(refresh_interval=1, startup_timeout=0)

    def no_answer(_name: str) -> tuple[str, ...]:
        raise OSError("no name server")

    def throttling(request: Request) -> Response:
        return Response(503, {"retry-after": "1.5"})

    store.driver.names = no_answer
    store.trouble = throttling
    with pytest.raises(NobodyAnswered):
        store.start()
    assert len(store.driver.requests) == 3
    assert store.driver.slept == [1.5, 1.5]


def test_asking_the_last_endpoint_again_is_no_failover() -> None:
    """Correlation-Context tells of a failover only where another endpoint was asked before."""
    store = Single()
    store.trouble = failing(1, "sentinel")
    store.start()
    reported = [dict(request.headers)["correlation-context"] for request in store.driver.requests]
    assert len(reported) == 5
    assert not any("Failover" in one for one in reported)
