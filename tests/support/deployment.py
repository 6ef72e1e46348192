"""A store with three endpoints in virtual time: each shows some version, and may be in trouble.

A version is a sentinel and two pages, `host` and `port`, which tell its number; a snapshot whose
`host` and `port` differ is a mixture of two deployments.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from appconfig_provider import SettingSelector
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Effect, Request, Response, Send
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

ENDPOINTS = tuple(f"https://{name}.azconfig.io" for name in ("one", "two", "three"))
MOMENTS = ("sentinel", "first page", "later page", "sentinel again")
TIMEOUT = 10.0
"""Seconds to connect, and seconds to wait for bytes."""

Fault = Callable[["Deployment", Send], Response]


def silent(deployment: Deployment, send: Send) -> Response:
    """Say nothing until the client gives up."""
    clock = deployment.clock
    clock.advance(min(TIMEOUT, send.deadline - clock.monotonic()))
    raise RequestFailed(Kind.UNANSWERED, send.request.origin, "silence")


def refusing(_: Deployment, send: Send) -> Response:
    """Have nobody listening."""
    raise RequestFailed(Kind.UNREACHABLE, send.request.origin, "no connection")


def cut(_: Deployment, send: Send) -> Response:
    """Break off in the middle of a body."""
    raise RequestFailed(Kind.UNANSWERED, send.request.origin, "half an answer")


def saying(code: int, retry_after: str | None = None) -> Fault:
    """Answer with a status."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return lambda _deployment, _send: status(code, headers)


def garbage(_: Deployment, __: Send) -> Response:
    """Answer with what some proxy says about signing in."""
    return Response(200, {"etag": '"login"'}, b"<html>sign in</html>")


FAULTS: dict[str, Fault] = {
    "400": saying(400),
    "401": saying(401),
    "403": saying(403),
    "408": saying(408),
    "429": saying(429),
    "429, wait a second": saying(429, "1"),
    "429, wait a minute": saying(429, "60"),
    "500": saying(500),
    "503": saying(503),
    "refused": refusing,
    "silent": silent,
    "cut": cut,
    "garbage": garbage,
}
PERMANENT = frozenset({"400", "401", "403"})
WAITED_FOR = frozenset({"408", "429", "429, wait a second"})
"""Asked again at the same endpoint."""
RETRIED_LAST = frozenset({"500", "503"})
"""Asked again only at the endpoint that is tried last; the others, once."""


class _Driver(ScriptedDriver):
    """Tells the deployment the deadline of a request, too."""

    deployment: Deployment

    def _perform(self, effect: Effect[object]) -> object:
        if isinstance(effect, Send) and self.clock.monotonic() < effect.deadline:
            self.requests.append(effect.request)
            try:
                return self.deployment.answer(effect)
            finally:
                self.deployment.ended[effect.request.origin] = self.clock.monotonic()
        return super()._perform(effect)


@dataclass
class Deployment:
    """The three endpoints, and the engine of one provider that is given all of them."""

    keywords: dict[str, object] = field(default_factory=dict)
    version: int = 1
    random: float = 0.0
    clock: FakeClock = field(default_factory=FakeClock)
    stale: dict[str, int] = field(default_factory=dict)
    """Endpoints that still show an older version."""
    trouble: dict[str, tuple[str, Fault]] = field(default_factory=dict)
    """Endpoints in trouble: at which moment (empty: always), and what they do."""
    echoes: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Of each request: where it went, the sync token it had, and the newest one given there."""
    ended: dict[str, float] = field(default_factory=dict)
    """When the last request to each endpoint was over."""
    next_version_at: int = 0
    """At which request of an operation the next version is deployed; 0: at none."""
    _patience: float = math.inf
    _healing: tuple[str, ...] = ENDPOINTS
    _listed: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _given: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = Keywords(
            connection_string=CONNECTION,
            replicas=ENDPOINTS[1:],
            replica_discovery_enabled=False,
            selects=[SettingSelector(key_filter="*")],
            refresh_on=["sentinel"],
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            **self.keywords,  # type: ignore[arg-type]  # keywords come as they are
        ).checked()
        self.options = options
        self.context = context_for(self.clock, options, self.random)
        self.driver = _Driver(_never, self.clock)
        self.driver.deployment = self

    def start(self) -> State:
        """Load."""
        self._begin()
        return self.driver.run(start(self.context))

    def refresh(self, state: State, *, force: bool = False) -> Outcome[State]:
        """Refresh once, now."""
        self._begin()
        return self.driver.run(refresh(self.context, state, force=force))

    def when_due(self, state: State) -> Outcome[State]:
        """Refresh once, as soon as it is due."""
        self.clock.advance(max(0.0, state.due - self.clock.monotonic()))
        return self.refresh(state)

    def asked(self) -> list[str]:
        """Return the endpoints that were asked in the last operation, in the order of turns."""
        return list(dict.fromkeys(request.origin for request in self.driver.requests))

    def afflict(self, endpoints: Iterable[str], moment: str, fault: Fault) -> None:
        """Bring trouble to some endpoints."""
        for endpoint in endpoints:
            self.trouble[endpoint] = (moment, fault)

    def heal_after_sleeps(self, number: int, *endpoints: str) -> None:
        """End the trouble of endpoints, or of all, once the client has waited so many times."""
        self._patience, self._healing = number, endpoints or ENDPOINTS

    def answer(self, send: Send) -> Response:
        """Answer as the endpoint does at the moment."""
        if len(self.driver.slept) >= self._patience:
            for endpoint in self._healing:
                self.trouble.pop(endpoint, None)
        if len(self.driver.requests) == self.next_version_at:
            self.version += 1
        request = send.request
        sent = dict(request.headers).get("sync-token")
        self.echoes.append((request.origin, sent, self._given.get(request.origin)))
        moment, fault = self.trouble.get(request.origin, ("none", refusing))
        if moment in {"", self._moment(request)}:
            return fault(self, send)
        return self._with_token(request, self._healthy(request))

    def _with_token(self, request: Request, answer: Response) -> Response:
        number = next(self._numbers)
        self._given[request.origin] = f"zone={request.origin[8:11]}{number}"
        token = {"sync-token": f"{self._given[request.origin]};sn={number}"}
        return Response(answer.status, {**answer.headers, **token}, answer.body)

    def _begin(self) -> None:
        self.driver.requests.clear()
        self._listed.clear()

    def _moment(self, request: Request) -> str:
        if request.target.startswith("/kv/sentinel"):
            return "sentinel again" if request.origin in self._listed else "sentinel"
        return "later page" if "after=" in request.target else "first page"

    def _healthy(self, request: Request) -> Response:
        version = self.stale.get(request.origin, self.version)
        if request.target.startswith("/kv/sentinel"):
            modified = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=version)
            item = setting(
                "sentinel", str(version), f"s{version}", last_modified=modified.isoformat()
            )
            return _unless_known(request, single(item))
        self._listed.add(request.origin)
        if "after=" in request.target:
            return _unless_known(request, page([setting("port", str(version))], f"q{version}"))
        first = page([setting("host", str(version))], f"p{version}")
        link = {"link": '</kv?after=host>; rel="next"'}
        return _unless_known(request, Response(200, {**first.headers, **link}, first.body))


def _unless_known(request: Request, answer: Response) -> Response:
    known = dict(request.headers).get("if-none-match")
    return status(304) if known == answer.headers["etag"] else answer


def _never(request: Request) -> Response:
    raise AssertionError(request)


def whole(state: State) -> int:
    """Return the version that is being served, which must be one."""
    host, port = state.snapshot["host"], state.snapshot["port"]
    assert host == port, f"a mixture: host of {host}, port of {port}"
    return int(str(host))
