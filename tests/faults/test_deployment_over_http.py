"""Three endpoints of one store over real HTTP: what virtual time cannot show, sync and aio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.errors import AzureError, HttpResponseError, StartupTimeout
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from appconfig_provider.testing.replicas import Replica
from tests.support.adapter import Loader, Provider

TIMEOUT = 0.5
"""Seconds to connect, and seconds to wait; a check may take both together."""
SLACK = 2.0
"""Seconds that a busy machine may add."""

FAULTS = {
    "401": Scripted(401),
    "429, wait a minute": Scripted(429, {"Retry-After": "60"}),
    "503": Scripted(503, {"Content-Type": "text/html"}, b"<h1>sorry</h1>"),
    "silent": Scripted(delay=60),
    "cut": Scripted(cut_after=7),
    "garbage": Scripted(200, {"ETag": '"login"'}, b"<html>sign in</html>"),
    "not what it says": Scripted(200, {"Content-Encoding": "gzip"}, b'{"items": []}'),
}
MOMENTS = ("sentinel", "first page", "later page", "sentinel again")
CASES = [(fault, MOMENTS[number % 3]) for number, fault in enumerate(FAULTS)] + [
    ("503", "sentinel again"),
    ("silent", "sentinel again"),
]


class Deployment:
    """A store with three endpoints and two pages, and how a provider is given all of it."""

    def __init__(self, store: Emulator, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.endpoints: tuple[Replica, ...] = (store, *store.replicas)
        self.deploy(1)

    def deploy(self, version: int) -> None:
        """Write a version: settings of two pages, and then the sentinel."""
        self.clock.advance(2)
        for key in ("app/host", "app/more", "app/port", "sentinel"):
            self.store.set(key, str(version))

    def keywords(self, **more: object) -> dict[str, object]:
        """Return what `load()` is given."""
        one, *others = (endpoint.connection_string for endpoint in self.endpoints)
        return {
            "connection_string": one,
            "replicas": others,
            "selects": [SettingSelector(key_filter="app/*")],
            "trim_prefixes": ["app/"],
            "refresh_on": ["sentinel"],
            "connect_timeout": TIMEOUT,
            "read_timeout": TIMEOUT,
            "startup_timeout": 0,
            "retry_total": 0,
            **more,
        }

    def counts(self) -> list[int]:
        """Return how many requests each endpoint got, and forget them."""
        counts = [len(endpoint.requests) for endpoint in self.endpoints]
        for endpoint in self.endpoints:
            endpoint.clear_requests()
        return counts


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """Give the deployment, on a clock that both sides live by."""
    with FakeClock() as clock, Emulator(replicas=2, page_size=2, clock=clock) as store:
        yield Deployment(store, clock)


def at(moment: str, fault: Scripted) -> Callable[[RequestRecord], Scripted | None]:
    """Answer badly at one moment of an operation."""
    listed: list[str] = []

    def answer(record: RequestRecord) -> Scripted | None:
        if record.target.startswith("/kv/sentinel"):
            now = "sentinel again" if listed else "sentinel"
        else:
            now = "later page" if "after=" in record.target else "first page"
            listed.append(now)
        return fault if now == moment else None

    return answer


def trouble(endpoints: Sequence[Replica], moment: str, fault: Scripted) -> ExitStack:
    """Bring a fault to endpoints until the block ends."""
    stack = ExitStack()
    for endpoint in endpoints:
        stack.enter_context(endpoint.respond(at(moment, fault)))
    return stack


def served(config: Provider) -> int:
    """Return the version that is served, which must be one."""
    snapshot = config.snapshot
    assert snapshot["host"] == snapshot["port"]
    return int(str(snapshot["host"]))


@pytest.mark.parametrize(("fault", "moment"), CASES)
def test_a_load_goes_on_at_the_next_endpoint(
    load: Loader, deployment: Deployment, fault: str, moment: str
) -> None:
    """A fault at the first endpoint costs what was asked of it; at all, one error in time."""
    asked = MOMENTS.index(moment) + 1
    began = time.monotonic()
    with (
        trouble(deployment.endpoints[:1], moment, FAULTS[fault]),
        load(**deployment.keywords()) as config,
    ):
        assert served(config) == 1
        assert config.status.endpoint == deployment.endpoints[1].endpoint
        assert config.status.requests_sent == asked + 4
    assert time.monotonic() - began < 2 * TIMEOUT + SLACK
    assert deployment.counts() == [asked, 4, 0]
    error = HttpResponseError if fault == "401" else StartupTimeout
    with trouble(deployment.endpoints, moment, FAULTS[fault]), pytest.raises(error):
        load(**deployment.keywords()).__enter__()
    assert deployment.counts() == [asked] * 3
    assert time.monotonic() - began < 2 * (3 * 2 * TIMEOUT + SLACK)


@pytest.mark.parametrize(("fault", "moment"), CASES)
def test_a_refresh_goes_on_at_the_next_endpoint(
    load: Loader, deployment: Deployment, fault: str, moment: str
) -> None:
    """Two endpoints in trouble are passed over, three keep the old version; both heal by waiting.

    Nobody is asked before its back-off is over, and then everybody is again.
    """
    asked = MOMENTS.index(moment) + 1
    with load(**deployment.keywords()) as config:
        deployment.deploy(2)
        deployment.clock.advance(30)
        deployment.counts()
        began = time.monotonic()
        with trouble(deployment.endpoints[:2], moment, FAULTS[fault]):
            assert config.refresh() is True
        assert served(config) == 2
        assert deployment.counts() == [asked, asked, 4]
        deployment.deploy(3)
        deployment.clock.advance(80)
        with trouble(deployment.endpoints, moment, FAULTS[fault]):
            assert config.refresh() is False
            assert deployment.counts() == [asked] * 3
            deployment.clock.advance(29)
            assert config.refresh() is False
        assert time.monotonic() - began < 2 * (3 * TIMEOUT + SLACK)
        assert deployment.counts() == [0, 0, 0]
        assert served(config) == 2
        assert isinstance(config.status.last_error, AzureError)
        deployment.clock.advance(121)
        assert config.refresh() is True
        assert served(config) == 3
        assert deployment.counts() == [4, 0, 0]


def test_endpoints_that_are_down_come_back(load: Loader, deployment: Deployment) -> None:
    """Refused connections fail over at once, and an endpoint that is up again is used again."""
    one, two, three = deployment.endpoints
    one.down()
    with load(**deployment.keywords()) as config:
        assert config.status.endpoint == two.endpoint
        two.down()
        three.down()
        deployment.clock.advance(40)
        assert config.refresh() is False
        for endpoint in deployment.endpoints:
            endpoint.up()
        deployment.deploy(2)
        deployment.clock.advance(80)
        deployment.counts()
        assert config.refresh() is True
        assert deployment.counts() == [4, 0, 0]
        assert served(config) == 2
        one.down()
        deployment.clock.advance(40)
        assert config.refresh() is False
        assert config.status.last_error is None
        assert deployment.counts() == [0, 1, 0]


@pytest.mark.parametrize("balanced", [False, True])
def test_a_frozen_endpoint_rolls_nothing_back(
    load: Loader, deployment: Deployment, balanced: bool
) -> None:
    """Endpoints that show the state before a deployment are no change, whichever is tried."""
    one, two, three = deployment.endpoints
    with (
        two.freeze(),
        three.freeze(),
        load(**deployment.keywords(load_balancing_enabled=balanced)) as config,
    ):
        deployment.deploy(2)
        for _ in range(3):
            config.refresh(force=True)
        assert served(config) == 2
        with trouble([one], "sentinel", Scripted(503)):
            for _ in range(4):
                assert config.refresh(force=True) is False
                assert config.status.last_error is None
                assert served(config) == 2
        assert config.snapshot.version == 2


def test_a_slow_endpoint_is_waited_for_within_its_share(
    load: Loader, deployment: Deployment
) -> None:
    """An endpoint that takes half of its time answers; one that takes more is passed over."""
    one = deployment.endpoints[0]
    generous = {"connect_timeout": 0.3, "read_timeout": 0.3}
    with load(**deployment.keywords(**generous)) as config:
        with one.slow(0.05):
            config.refresh(force=True)
        assert config.status.endpoint == one.endpoint
        with one.slow(0.5):
            config.refresh(force=True)
        assert config.status.endpoint == deployment.endpoints[1].endpoint


@pytest.mark.parametrize("statuses", [(400, 401, 403), (403, 404, 400), (404, 404, 404)])
def test_what_all_endpoints_refuse_for_good_is_raised_at_once(
    load: Loader, deployment: Deployment, statuses: tuple[int, ...]
) -> None:
    """With 400, 401, 403 or 404 by every endpoint load() raises the first one's, without a wait."""
    with ExitStack() as stack:
        for endpoint, status in zip(deployment.endpoints, statuses, strict=True):
            stack.enter_context(trouble([endpoint], "first page", Scripted(status)))
        before = deployment.clock.monotonic()
        with pytest.raises(HttpResponseError) as caught:
            load(**deployment.keywords(startup_timeout=100, retry_total=2)).__enter__()
    assert caught.value.status_code == statuses[0]
    assert deployment.clock.monotonic() == before
    assert deployment.counts() == [2, 2, 2]


def test_the_wire_tells_of_replicas_turns_and_failover(
    load: Loader, deployment: Deployment
) -> None:
    """Correlation-Context counts the replicas, and tells of load balancing and of a failover."""
    one, two, _ = deployment.endpoints
    keywords = deployment.keywords(load_balancing_enabled=True)
    with trouble([one], "sentinel", Scripted(503)), load(**keywords):
        reported = [
            endpoint.requests[0].headers["correlation-context"].split(",")
            for endpoint in (one, two)
        ]
    assert reported[0] == ["RequestType=Startup", "ReplicaCount=2", "Features=LB"]
    assert reported[1] == [*reported[0], "Failover"]


def test_a_sync_token_stays_with_the_endpoint_that_gave_it(
    load: Loader, deployment: Deployment
) -> None:
    """Each endpoint gets back its own sync tokens only, also those of an attempt that failed."""
    marks = ("one", "two", "three")
    with ExitStack() as stack:
        config = stack.enter_context(load(**deployment.keywords()))
        for endpoint, mark in zip(deployment.endpoints, marks, strict=True):
            failing = Scripted(503, {"Sync-Token": f"{mark}=MQ==;sn=1"})
            stack.enter_context(trouble([endpoint], "sentinel", failing))
        config.refresh(force=True)
        deployment.counts()
        config.refresh(force=True)
        for endpoint, mark in zip(deployment.endpoints, marks, strict=True):
            (record,) = endpoint.requests
            reported = record.headers["sync-token"].split(",")
            assert [one for one in reported if one.partition("=")[0] in marks] == [f"{mark}=MQ=="]
