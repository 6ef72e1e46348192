"""One exchange: the headers of each attempt, when it is tried again, and what is learnt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._azure.rest.sync_tokens import SyncToken
from appconfig_provider._fetch.exchange import Session, exchange, read
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import FakeClock
from tests.support.scripted import ScriptedDriver, status

ORIGIN = "https://one.azconfig.io"
OK = frozenset({200})


def scene(
    answer: Callable[[Request], Response] = lambda _: status(200), **fields: Any
) -> tuple[ScriptedDriver, Session]:
    """Return a driver and a session with two retries and waits of two seconds at most."""
    driver = ScriptedDriver(answer, FakeClock())
    given: dict[str, Any] = {
        "origin": ORIGIN,
        "sign": None,
        "service": StoreService((("user-agent", "test"),)),
        "deadline": 1e9,
        "max_retry_wait": 2.0,
        "retries": 2,
        "clock": driver.clock,
        "random": lambda: 0.0,
    }
    return driver, Session(**{**given, **fields})


def candidates(*answers: Response) -> Callable[[Request], Response]:
    """Give answers one after the other."""
    queue = iter(answers)
    return lambda _request: next(queue)


def test_a_read_has_the_headers_of_the_session_and_its_own() -> None:
    """With an ETag it is conditional; without, it is not."""
    driver, session = scene()
    driver.run(read(session, "/kv", "e1", headers=(("accept-datetime", "then"),)))
    driver.run(read(session, "/kv", None))
    driver.run(read(session, "/kv", ""))
    common = ("user-agent", "test")
    assert [request.headers for request in driver.requests] == [
        (common, ("accept-datetime", "then"), ("if-none-match", '"e1"')),
        (common,),
        (common, ("if-none-match", '""')),
    ]
    assert {(one.method, one.origin, one.target) for one in driver.requests} == {
        ("GET", ORIGIN, "/kv")
    }


def test_a_body_is_sent_with_every_attempt() -> None:
    """A request that is repeated is the same but for what was learnt."""
    answers = candidates(status(429, {"sync-token": "zone=a;sn=1"}), status(200))
    driver, session = scene(answers)
    driver.run(exchange(session, Request("PUT", ORIGIN, "/kv/a", (("x", "y"),), b"body"), OK))
    first, second = driver.requests
    assert (first.method, first.body) == (second.method, second.body) == ("PUT", b"body")
    assert "sync-token" not in dict(first.headers)
    assert dict(second.headers)["sync-token"] == "zone=a"


@pytest.mark.parametrize(
    ("accepted", "code"), [(frozenset({200, 304}), 304), (frozenset({200, 304, 404}), 404)]
)
def test_an_accepted_status_is_an_answer(accepted: frozenset[int], code: int) -> None:
    """What else would be refused is handed back at once."""
    driver, session = scene(lambda _: status(code))
    answer = driver.run(exchange(session, Request("GET", ORIGIN, "/kv"), accepted))
    assert answer.status == code
    assert len(driver.requests) == 1


def attempts(codes: Iterable[int], **fields: Any) -> tuple[list[float], int]:
    """Return the pauses and the requests until an exchange ends, as statuses come in turn."""
    driver, session = scene(candidates(*map(status, codes)), **fields)
    with suppress(RequestFailed):
        driver.run(exchange(session, Request("GET", ORIGIN, "/kv"), OK))
    return driver.slept, len(driver.requests)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 400, 401, 403, 404, 409, 501])
@pytest.mark.parametrize("alone", [True, False])
def test_only_what_may_heal_is_tried_again(code: int, alone: bool) -> None:
    """Throttling always, failures of a server only where no other endpoint is left."""
    pauses, sent = attempts([code] * 3, alone=alone)
    again = code in {408, 429} or (alone and code in {500, 502, 503, 504})
    assert pauses == ([0.4, 0.8] if again else [])
    assert sent == (3 if again else 1)


def test_pauses_double_and_are_spread_by_a_quarter() -> None:
    """The retries that an earlier attempt had count."""
    assert attempts([429, 429, 429, 200], random=lambda: 1.0, retries=3) == ([0.5, 1.0, 2.0], 4)
    assert attempts([429, 200], retried=1) == ([0.8], 2)
    assert attempts([429], retries=0) == ([], 1)
    assert attempts([429, 429], retried=1, retries=1) == ([], 1)


@pytest.mark.parametrize(
    ("header", "deadline", "pauses"),
    [
        ("2", math.inf, [2.0]),
        ("1.5", math.inf, [1.5]),
        ("0", math.inf, [0.0]),
        ("2.1", math.inf, []),
        ("2", 2.1, [2.0]),
        ("2", 1.9, []),
        ("soon", math.inf, [0.4]),
    ],
)
def test_the_wait_that_is_asked_for_is_kept_or_not_begun(
    header: str, deadline: float, pauses: list[float]
) -> None:
    """It must fit into the longest wait and the deadline; the failure carries it for a back-off."""
    answers = candidates(status(429, {"retry-after": header}), status(200))
    driver, session = scene(answers)
    session.deadline = driver.clock.monotonic() + deadline
    if pauses:
        driver.run(exchange(session, Request("GET", ORIGIN, "/kv"), OK))
    else:
        with pytest.raises(RequestFailed) as caught:
            driver.run(exchange(session, Request("GET", ORIGIN, "/kv"), OK))
        assert caught.value.retry_after == float(header)
    assert driver.slept == pauses


def test_a_refusal_tells_the_challenge_and_what_was_asked() -> None:
    """The next token may have to hold what a 401 asks for."""
    driver, session = scene(lambda _: status(401, {"www-authenticate": "Bearer claims=x"}))
    with pytest.raises(RequestFailed, match="answered 401 to GET /kv/a") as caught:
        driver.run(read(session, "/kv/a", None))
    assert caught.value.challenge == "Bearer claims=x"
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("before", "answers", "after"),
    [(math.inf, [0.3, 0.1, 0.2], 0.1), (0.05, [0.3], 0.3), (9.0, [0.2, 0.2], 0.2)],
)
def test_the_quickest_answer_of_a_session_tells_the_distance(
    before: float, answers: list[float], after: float
) -> None:
    """What was known before counts only until the first answer; every status is an answer."""
    _, session = scene(round_trip=before)
    for seconds in answers:
        session.learn(status(500), seconds)
    assert session.quickest == after
    known = [session.concurrency]
    session.round_trip = after
    session.quickest = math.inf
    assert known == [session.concurrency]


def test_an_answer_takes_from_its_request_to_its_coming() -> None:
    """Measured by the monotonic clock, whatever it says at the moment; pauses do not count."""
    queue = [(0.3, status(429)), (0.2, status(200))]

    def answer(_request: Request) -> Response:
        seconds, found = queue.pop(0)
        driver.clock.advance(seconds)
        return found

    driver, session = scene(answer)
    driver.clock.advance(1000)
    driver.run(exchange(session, Request("GET", ORIGIN, "/kv"), OK))
    assert session.quickest == pytest.approx(0.2)


def test_each_429_halves_what_is_under_way() -> None:
    """Down to one at a time, and never up again in this session."""
    _, session = scene(round_trip=1.0)
    widths = []
    for code in (200, 429, 429, 429, 200, 429, 429, 429):
        session.learn(status(code), 1.0)
        widths.append(session.concurrency)
    assert widths == [32, 16, 8, 4, 4, 2, 1, 1]


def test_a_near_store_that_asks_for_less_gets_half_of_what_it_had() -> None:
    """What is halved is what was under way, not what might have been."""
    _, session = scene(round_trip=0.007)
    assert session.concurrency == 10
    session.learn(status(429), 0.007)
    assert session.concurrency == 5


def test_sync_tokens_of_answers_are_put_together() -> None:
    """The newest of each name goes with the next request; an answer without leaves them."""
    _, session = scene(service=StoreService((), {"a": SyncToken("old", 1)}))
    session.learn(status(200, {"sync-token": "a=new;sn=2,b=x;sn=1"}), 1.0)
    session.learn(status(200), 1.0)
    session.learn(status(200, {"sync-token": "a=older;sn=1"}), 1.0)
    header = dict(session.service.headers())["sync-token"]
    assert sorted(header.split(",")) == ["a=new", "b=x"]
