"""A failover and the way back are said once each; `status` tells who answered."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from appconfig_provider.testing import (
    Emulator,
    FakeClock,
    Scripted,
    StaticCredential,
    Vault,
)
from appconfig_provider.testing.replicas import Replica
from tests.support.adapter import Loader


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with two replicas."""
    with Emulator(clock=clock, replicas=2) as emulator:
        emulator.set_many({"k": "1", "sentinel": "1"})
        yield emulator


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {
        "connection_string": store.connection_string,
        "replicas": [replica.connection_string for replica in store.replicas],
        "refresh_on": ["sentinel"],
        "retry_total": 0,
        **more,
    }


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines about endpoints, and forget them."""
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.INFO and record.name == "appconfig_provider"
    ]
    caplog.clear()
    return [line for line in lines if "failover" in line or "again" in line]


def failing(*endpoints: Replica, status: int = 503) -> ExitStack:
    """Have endpoints answer badly until the block ends."""
    stack = ExitStack()
    for endpoint in endpoints:
        stack.enter_context(endpoint.respond(lambda _: Scripted(status)))
    return stack


def test_a_failover_and_the_way_back_are_said_once(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One INFO line when another endpoint answers, one when the first does again; else silence."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    one, two, three = store.endpoint, store.replicas[0].endpoint, store.replicas[1].endpoint
    with load(**keywords(store)) as config:
        config.refresh(force=True)
        assert messages(caplog) == []
        with failing(store):
            for _ in range(4):
                clock.advance(31)
                config.refresh(force=True)
                assert config.status.endpoint == two
            assert messages(caplog) == [f"failover from {one} to {two}: it answered 503"]
            with failing(store.replicas[0], status=403):
                config.refresh(force=True)
            assert messages(caplog) == [f"failover from {two} to {three}: it answered 403"]
        config.refresh(force=True)
        config.refresh(force=True)
        assert config.status.endpoint == one
        assert messages(caplog) == [f"{one} answers again, and is asked instead of {three}"]


def test_a_failover_of_the_start_is_said(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """load() that was answered by a replica says so, with what the first endpoint did."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    one, two = store.endpoint, store.replicas[0].endpoint
    store.down()
    with load(**keywords(store)) as config:
        assert config.status.endpoint == two
        assert messages(caplog) == [f"failover from {one} to {two}: no connection"]


def test_an_endpoint_that_backs_off_is_the_reason(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """When nobody answered first, the line of the next refresh says that the first backs off."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    one, two = store.endpoint, store.replicas[0].endpoint
    with load(**keywords(store)) as config:
        with (
            store.respond(lambda _: Scripted(429, {"Retry-After": "500"})),
            failing(*store.replicas),
        ):
            config.refresh(force=True)
        clock.advance(40)
        config.refresh()
        assert config.status.endpoint == two
        assert messages(caplog) == [f"failover from {one} to {two}: it is backing off"]


def test_load_balancing_says_nothing(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where endpoints take turns, another endpoint is no news, not even beside a failing one."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    with load(**keywords(store, load_balancing_enabled=True)) as config:
        for _ in range(4):
            config.refresh(force=True)
        with failing(store):
            for _ in range(4):
                clock.advance(31)
                config.refresh(force=True)
        assert messages(caplog) == []


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_vault_in_trouble_is_no_failover(
    load: Loader, store: Emulator, clock: FakeClock, status: int
) -> None:
    """What a vault answers moves no store to a replica and backs none off."""
    with Vault(clock=clock) as vault:
        vault.set("s", "hidden")
        store.set_secret("ref", vault.id("s"))
        given = keywords(
            store,
            keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
            verify=vault.ca_file,
            secret_policy="raise",
        )
        with load(**given) as config:
            clock.advance(100)
            store.set("sentinel", "2")
            with vault.respond(lambda _: Scripted(status)):
                assert config.refresh() is False
            assert config.status.last_error is not None
            assert config.status.endpoint == store.endpoint
            assert config.status.backoff_until is None
            assert all(not replica.requests for replica in store.replicas)
