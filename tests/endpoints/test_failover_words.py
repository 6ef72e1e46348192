"""What a log line says of a failover and of the way back, in virtual time."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Request, Response
from tests.support.asking import SENTINEL, Life
from tests.support.scripted import REPLICA, status

ONE = "https://one.azconfig.io"
GONE = "https://gone.azconfig.io"


def unreachable(request: Request) -> Response:
    """Have nobody there."""
    raise RequestFailed(Kind.UNREACHABLE, request.origin, "no route")


@pytest.mark.parametrize(
    ("last", "trouble", "line"),
    [
        (ONE, {}, None),
        ("", {}, None),
        (REPLICA, {}, f"{ONE} answers again, and is asked instead of {REPLICA}"),
        (GONE, {}, f"failover from {GONE} to {ONE}: it is backing off"),
        (ONE, {ONE: lambda _: status(503)}, f"failover from {ONE} to {REPLICA}: it answered 503"),
        ("", {ONE: unreachable}, f"failover from {ONE} to {REPLICA}: no connection"),
        (REPLICA, {ONE: unreachable}, None),
        (GONE, {ONE: unreachable}, f"failover from {GONE} to {REPLICA}: it is backing off"),
    ],
)
def test_the_line_names_both_endpoints_and_the_reason(
    last: str, trouble: dict[str, object], line: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Who answered last may be known no more; where the same one answers, nothing is said."""
    life = Life({**SENTINEL, "replicas": [REPLICA], "retry_total": 0})
    life.state = replace(life.state, endpoints=replace(life.state.endpoints, last=last))
    whole = life.world.answer

    def answer(request: Request) -> Response:
        faulty = trouble.get(request.origin, whole)
        assert callable(faulty)
        found: Response = faulty(request)
        return found

    life.world.answer = answer
    caplog.set_level(logging.INFO, "appconfig_provider")
    life.refresh()
    assert [record.getMessage() for record in caplog.records] == ([line] if line else [])


def test_endpoints_that_take_turns_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """With load balancing nothing is said of another endpoint."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    life = Life({**SENTINEL, "replicas": [REPLICA], "load_balancing_enabled": True})
    for _ in range(3):
        life.refresh()
    assert caplog.records == []
