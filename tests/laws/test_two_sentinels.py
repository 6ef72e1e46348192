"""Laws 1 and 14 with two sentinels: replicas may each be ahead of the other in one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import FakeClock
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

INTERVAL = 30.0


@dataclass
class Endpoint:
    """What one replica shows: the version of each publisher's sentinel and of its data."""

    left: int
    right: int
    down: bool = False

    def answer(self, request: Request) -> Response:
        """Answer, or have nobody listening."""
        if self.down:
            raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")
        if request.target.startswith("/kv?"):
            data = [setting("left-data", str(self.left)), setting("right-data", str(self.right))]
            return page(data, f"p{self.left}.{self.right}")
        name = "left" if request.target.startswith("/kv/left") else "right"
        version = self.left if name == "left" else self.right
        etag = f"{name}{version}"
        if dict(request.headers).get("if-none-match") == f'"{etag}"':
            return status(304)
        written = f"2026-01-01T00:00:{version:02}+00:00"
        return single(setting(name, str(version), etag, last_modified=written))


class Replicas:
    """A store with two endpoints, and a provider that watches both sentinels."""

    def __init__(self, first: Endpoint, second: Endpoint) -> None:
        self._endpoints = {"https://one.azconfig.io": first, REPLICA: second}
        self._clock = FakeClock()
        self._driver = ScriptedDriver(self._answer, self._clock)
        self._context = context_for(
            self._clock,
            Keywords(
                connection_string=CONNECTION,
                replicas=[REPLICA],
                replica_discovery_enabled=False,
                refresh_on=["left", "right"],
                refresh_interval=INTERVAL,
            ).checked(),
        )
        self.state: State = self._driver.run(start(self._context))

    def _answer(self, request: Request) -> Response:
        return self._endpoints[request.origin].answer(request)

    def check(self) -> tuple[Any, Any]:
        """Refresh once it is due, and return both versions that are served."""
        self._clock.advance(INTERVAL * 2)
        self.state = self._driver.run(refresh(self._context, self.state, force=False)).state
        return self.state.snapshot["left-data"], self.state.snapshot["right-data"]


def test_a_replica_that_is_ahead_in_one_sentinel_hides_no_update_of_the_other() -> None:
    """What is loaded from a replica that lacks a publish is loaded again once that has arrived."""
    first, second = Endpoint(left=1, right=9), Endpoint(left=2, right=8)
    replicas = Replicas(first, second)
    first.down = True
    assert replicas.check() == ("2", "8")
    second.right = 9
    assert replicas.check() == ("2", "9")


@pytest.mark.parametrize("left", [1, 5])
def test_a_replica_that_lags_in_every_sentinel_changes_nothing(left: int) -> None:
    """Older sentinels count as unchanged as long as none is new: nothing is rolled back."""
    first, second = Endpoint(left=5, right=9), Endpoint(left=left, right=8)
    replicas = Replicas(first, second)
    first.down = True
    assert replicas.check() == ("5", "9")
    first.down = False
    assert replicas.check() == ("5", "9")
