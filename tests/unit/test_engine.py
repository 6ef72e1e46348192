"""The engine in virtual time: start-up, budgets, failover, back-off, rejection."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.rest.refusals import as_azure
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Request, Response
from appconfig_provider.errors import HttpResponseError, KeyVaultReferenceError, StartupTimeout
from appconfig_provider.testing import FakeClock
from tests.support.content import VAULT_TYPE
from tests.support.scripted import (
    CONNECTION,
    REPLICA,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

T = TypeVar("T")

ONE = "https://one.azconfig.io"


class Store:
    """A store of one page and one sentinel, whose answers a test can replace."""

    def __init__(self) -> None:
        self.version = 1
        self.trouble: dict[str, Callable[[Request], Response]] = {}

    def __call__(self, request: Request) -> Response:
        if request.origin in self.trouble:
            return self.trouble[request.origin](request)
        if request.target.startswith("/kv/sentinel"):
            etag = f"s{self.version}"
            if dict(request.headers).get("if-none-match") == f'"{etag}"':
                return status(304)
            return single(setting("sentinel", str(self.version), etag))
        return page([setting("k", f"v{self.version}")], etag=f"p{self.version}")


def unreachable(request: Request) -> Response:
    """Fail as a network does."""
    raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")


class Bench:
    """What a provider does, without the provider: start, advance the clock, refresh."""

    def __init__(self, **keywords: object) -> None:
        self.store = Store()
        self.clock = FakeClock()
        self.driver = ScriptedDriver(self.store, self.clock)
        given = {"connection_string": CONNECTION, "refresh_on": ["sentinel"], **keywords}
        self.options = Keywords(**given).checked()  # type: ignore[arg-type]  # keywords come as they are
        self.context = context_for(self.clock, self.options)

    def start(self) -> State:
        """Load."""
        return self.driver.run(start(self.context))

    def refresh(self, state: State, *, force: bool = False) -> Outcome[State]:
        """Refresh once, as soon as it is due."""
        if not force:
            self.clock.advance(max(0.0, state.due - self.clock.monotonic()))
        return self.driver.run(refresh(self.context, state, force=force))


def test_sentinels_are_asked_before_and_after_the_data() -> None:
    """A load asks the sentinels first, then the data, then the sentinels with their ETags."""
    bench = Bench()
    bench.start()
    asked = [request.target.partition("?")[0] for request in bench.driver.requests]
    assert asked == ["/kv/sentinel", "/kv", "/kv/sentinel"]
    assert ("if-none-match", '"s1"') in bench.driver.requests[2].headers


def test_a_load_that_races_is_done_again_and_then_published_as_inconsistent() -> None:
    """Sentinels that move during every load end in a third load that is marked inconsistent."""
    bench = Bench()
    store = bench.store

    def moving(request: Request) -> Response:
        answer = store(request)
        if request.target.startswith("/kv?"):
            store.version += 1
        return answer

    bench.driver.answer = moving
    state = bench.start()
    listings = [request for request in bench.driver.requests if request.target.startswith("/kv?")]
    assert len(listings) == 3
    assert not state.snapshot.consistent
    assert state.sentinels[0].etag == "s3"
    bench.driver.answer = store
    outcome = bench.refresh(state)
    assert outcome.state.snapshot["k"] == "v4"
    assert outcome.state.snapshot.consistent


def test_start_up_waits_in_windows_and_ends_with_the_budget() -> None:
    """With nobody there, load() waits 5 s between rounds and gives up within its budget."""
    bench = Bench()
    bench.store.trouble[ONE] = unreachable
    began = bench.clock.monotonic()
    with pytest.raises(NobodyAnswered) as caught:
        bench.start()
    assert bench.driver.slept[:3] == [5.0, 5.0, 5.0]
    assert 95 <= bench.clock.monotonic() - began <= 100
    error = caught.value.as_public()
    assert isinstance(error, StartupTimeout)
    assert isinstance(error, TimeoutError)
    assert len(error.causes) == 1


def test_start_up_without_budget_makes_one_attempt_per_endpoint() -> None:
    """startup_timeout=0 asks each endpoint once and does not wait."""
    bench = Bench(startup_timeout=0, replicas=[REPLICA], retry_total=0)
    bench.store.trouble = {ONE: unreachable, REPLICA: unreachable}
    with pytest.raises(NobodyAnswered):
        bench.start()
    assert [request.origin for request in bench.driver.requests] == [ONE, REPLICA]
    assert bench.driver.slept == []


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_permanent_answers_end_start_up_at_once(code: int) -> None:
    """When every endpoint says 400, 401, 403 or 404, load() does not wait."""
    bench = Bench(replicas=[REPLICA])
    bench.store.trouble = {ONE: lambda _: status(code), REPLICA: lambda _: status(403)}
    with pytest.raises(RequestFailed) as caught:
        # A sentinel may be absent, so 404 is an answer there; the listing may not.
        bench.start()
    assert bench.driver.slept == []
    error = as_azure(caught.value)
    assert isinstance(error, HttpResponseError)
    assert error.status_code == code


def test_one_endpoint_that_may_heal_keeps_start_up_trying() -> None:
    """A 403 from one endpoint and a 503 from the other is no reason to give up."""
    bench = Bench(replicas=[REPLICA], retry_total=0)
    bench.store.trouble = {ONE: lambda _: status(403), REPLICA: lambda _: status(503)}

    def heal(request: Request) -> Response:
        if bench.driver.slept:
            bench.store.trouble.clear()
        return bench.store(request)

    bench.driver.answer = heal
    assert bench.start().snapshot["k"] == "v1"


def test_the_second_endpoint_gets_its_turn_when_the_first_is_silent() -> None:
    """A silent first endpoint uses at most its share of the budget."""
    bench = Bench(replicas=[REPLICA], startup_timeout=10)

    def silent(request: Request) -> Response:
        bench.clock.advance(5)
        raise RequestFailed(Kind.UNANSWERED, request.origin, "silence")

    bench.store.trouble[ONE] = silent
    state = bench.start()
    assert state.attempt.endpoint == REPLICA
    assert state.endpoints.all[0].backoff.failures == 1


def test_a_failover_starts_again_at_the_sentinels() -> None:
    """One load talks to one endpoint: after a failure in the listing the next begins anew."""
    bench = Bench(replicas=[REPLICA], retry_total=0)

    def broken_listing(request: Request) -> Response:
        if request.target.startswith("/kv?"):
            return status(503)
        return single(setting("sentinel", "1", "s1"))

    bench.store.trouble[ONE] = broken_listing
    bench.start()
    asked = [
        (request.origin, request.target.partition("?")[0]) for request in bench.driver.requests
    ]
    assert asked == [
        (ONE, "/kv/sentinel"),
        (ONE, "/kv"),
        (REPLICA, "/kv/sentinel"),
        (REPLICA, "/kv"),
        (REPLICA, "/kv/sentinel"),
    ]


def test_a_status_that_heals_is_retried_within_the_patience_of_a_refresh() -> None:
    """retry_total retries with growing pauses; a longer Retry-After is not slept for."""
    bench = Bench()
    state = bench.start()
    bench.store.trouble[ONE] = lambda _: status(503)
    outcome = bench.refresh(state)
    assert bench.driver.slept == [0.4, 0.8]
    assert outcome.error is not None
    bench.driver.slept.clear()
    bench.store.trouble[ONE] = lambda _: status(429, {"retry-after": "60"})
    now = bench.clock.monotonic()
    outcome = bench.refresh(outcome.state, force=True)
    assert bench.driver.slept == []
    assert outcome.state.due >= now + 60


def test_back_off_doubles_and_a_success_resets_it() -> None:
    """Failures make the store rest 30, 60, 120 ... 600 s; the first success ends that."""
    bench = Bench(retry_total=0)
    state = bench.start()
    bench.store.trouble[ONE] = unreachable
    rests = []
    for _ in range(7):
        outcome = bench.refresh(state)
        state = outcome.state
        assert outcome.error is not None
        rests.append(state.due - bench.clock.monotonic())
        bench.clock.advance(rests[-1])
    assert rests == pytest.approx([30, 60, 120, 240, 480, 600, 600])
    bench.store.trouble.clear()
    state = bench.refresh(state).state
    assert state.endpoints.all[0].backoff.failures == 0
    assert state.due == bench.clock.monotonic() + 30


def test_a_timer_moves_only_when_an_attempt_was_made() -> None:
    """An unchanged check re-arms the timer by one interval, from the end of the check."""
    bench = Bench(refresh_interval=7)
    state = bench.start()
    bench.clock.advance(100)
    outcome = bench.refresh(state)
    assert outcome.changes is None
    assert outcome.state.due == bench.clock.monotonic() + 7
    assert outcome.state.snapshot is state.snapshot


def test_nothing_watched_is_never_due() -> None:
    """Without refresh_on there is no timer."""
    assert Bench(refresh_on=()).start().due == math.inf


def test_pages_that_did_not_change_are_not_read_again() -> None:
    """A reload asks every known page with its ETag and keeps those answered 304."""
    bench = Bench()
    state = bench.start()
    store = bench.store

    def only_the_sentinel_moved(request: Request) -> Response:
        if request.target.startswith("/kv?"):
            assert ("if-none-match", '"p1"') in request.headers
            return status(304)
        return store(request)

    store.version = 2
    bench.driver.answer = only_the_sentinel_moved
    outcome = bench.refresh(state)
    assert outcome.changes is not None
    assert not outcome.changes
    assert outcome.state.snapshot.version == 2
    assert outcome.state.content == state.content


def test_an_older_sentinel_is_a_lagging_replica() -> None:
    """A sentinel modified before the one held counts as unchanged."""
    bench = Bench()
    modified = {"s1": "2026-01-02T00:00:00+00:00", "s0": "2026-01-01T00:00:00Z"}
    current = ["s1"]

    def answer(request: Request) -> Response:
        if request.target.startswith("/kv/sentinel"):
            etag = current[0]
            return single(setting("sentinel", "x", etag, last_modified=modified[etag]))
        return page([setting("k", current[0])])

    bench.driver.answer = answer
    state = bench.start()
    current[0] = "s0"
    outcome = bench.refresh(state)
    assert outcome.changes is None
    assert outcome.error is None
    assert outcome.state.snapshot["k"] == "s1"


def test_a_rejected_generation_keeps_the_old_one_and_is_not_loaded_every_interval() -> None:
    """A refused generation is remembered: sentinels are asked, its data is not, for a while."""
    bench = Bench()
    state = bench.start()
    bench.store.version = 2
    vault = VAULT_TYPE

    def with_reference(request: Request) -> Response:
        if request.target.startswith("/kv?"):
            return page([setting("pw", "{}", content_type=vault)], etag="bad")
        return bench.store(request)

    bench.driver.answer = with_reference
    outcome = bench.refresh(state)
    assert isinstance(outcome.error, KeyVaultReferenceError)
    assert outcome.error.key == "pw"
    assert outcome.state.snapshot is state.snapshot
    again = bench.refresh(outcome.state)
    assert again.error is not None, "the first back-off is as long as the interval"
    bench.driver.requests.clear()
    quiet = bench.refresh(again.state)
    assert [request.target.partition("?")[0] for request in bench.driver.requests] == [
        "/kv/sentinel"
    ]
    assert quiet.error is None
    bench.driver.answer = bench.store
    bench.store.version = 3
    healed = bench.refresh(quiet.state)
    assert healed.state.snapshot["k"] == "v3"
    assert healed.state.rejected is None


def test_sync_tokens_are_kept_per_endpoint_and_echoed() -> None:
    """The newest sync token of an endpoint goes with every later request to it."""
    bench = Bench()
    store = bench.store

    def with_token(request: Request) -> Response:
        answer = store(request)
        headers = {
            **answer.headers,
            "sync-token": f"kv=dG9r{len(bench.driver.requests)};sn={len(bench.driver.requests)}",
        }
        return replace(answer, headers=headers)

    bench.driver.answer = with_token
    state = bench.start()
    bench.refresh(state)
    echoed = [dict(request.headers).get("sync-token") for request in bench.driver.requests]
    assert echoed == [None, "kv=dG9r1", "kv=dG9r2", "kv=dG9r3"]


def test_a_listing_that_leads_back_to_itself_is_an_error() -> None:
    """A page whose next link was already read does not loop for ever."""
    bench = Bench(startup_timeout=0)

    def loop(request: Request) -> Response:
        if request.target.startswith("/kv?"):
            return Response(200, {}, b'{"items": [], "@nextLink": "%s"}' % request.target.encode())
        return status(404)

    bench.driver.answer = loop
    with pytest.raises(NobodyAnswered, match="leads back to itself"):
        bench.start()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"items": [1]}', b'{"items": null}', b"\xff"])
def test_an_answer_that_is_no_page_is_the_endpoints_failure(body: bytes) -> None:
    """A captive portal's page never becomes an empty configuration."""
    bench = Bench(startup_timeout=0)
    bench.driver.answer = lambda request: (
        Response(200, {}, body) if request.target.startswith("/kv?") else status(404)
    )
    with pytest.raises(NobodyAnswered, match="did not answer with a page"):
        bench.start()
