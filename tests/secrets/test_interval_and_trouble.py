"""A secret that cannot be read has one back-off, which `secret_refresh_interval` leaves alone."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from appconfig_provider import ConfigurationSnapshot
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider
from tests.support.content import secret_id

INTERVAL = 60


class Vaults:
    """A `secret_resolver`; some of its secrets cannot be read."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.value = "old"
        self.asked: Counter[str] = Counter()

    def __call__(self, uri: str) -> str:
        name = uri.partition("/secrets/")[2]
        self.asked[name] += 1
        if name in self.failing:
            raise TimeoutError
        return self.value


@pytest.fixture
def vaults(store: Emulator) -> Vaults:
    """Two secrets that settings refer to."""
    for name in ("one", "two"):
        store.set_secret(name, secret_id(name))
    return Vaults()


def keywords(store: Emulator, vaults: Vaults, **more: Any) -> dict[str, Any]:
    """Return what these tests load with."""
    return {
        "connection_string": store.connection_string,
        "secret_resolver": vaults,
        "secret_refresh_interval": INTERVAL,
        "retry_total": 0,
        **more,
    }


def live(config: Provider, clock: FakeClock, seconds: int) -> None:
    """Call `refresh()` every second."""
    for _ in range(seconds):
        clock.advance(1)
        config.refresh()


@pytest.mark.parametrize("policy", ["raise", "keep_last", "omit"])
def test_a_vault_in_trouble_is_asked_ever_more_rarely(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    vaults: Vaults,
    policy: str,
) -> None:
    """Once for each back-off, reported once each; when it answers, the interval holds again."""
    errors: list[Exception] = []
    validated: list[ConfigurationSnapshot] = []
    more = {"on_refresh_error": errors.append, "validate": validated.append}
    with load(**keywords(store, vaults, secret_policy=policy, **more)) as config:
        vaults.failing = {"one", "two"}
        vaults.asked.clear()
        validated.clear()
        live(config, clock, 3600)
        assert 7 <= vaults.asked["one"] == vaults.asked["two"] == len(errors) <= 12
        assert len(validated) <= len(errors)
        warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert len(warnings) == (len(errors) if policy == "raise" else 2)
        vaults.failing, vaults.value = set(), "new"
        live(config, clock, 601)
        assert config.snapshot["one"] == config.snapshot["two"] == "new"
        assert config.status.last_error is None
        vaults.asked.clear()
        live(config, clock, 10 * INTERVAL)
        assert vaults.asked == {"one": 10, "two": 10}


def test_the_interval_of_other_secrets_goes_on(
    load: Loader, store: Emulator, clock: FakeClock, vaults: Vaults
) -> None:
    """Each secret has its own trouble."""
    with load(**keywords(store, vaults)) as config:
        vaults.failing, vaults.value = {"two"}, "new"
        vaults.asked.clear()
        live(config, clock, 3600)
        assert vaults.asked["one"] == 60
        assert vaults.asked["two"] <= 12
        assert (config.snapshot["one"], config.snapshot["two"]) == ("new", "old")


def test_force_and_a_moved_sentinel_do_not_wait_for_it(
    load: Loader, store: Emulator, clock: FakeClock, vaults: Vaults
) -> None:
    """What asks for a secret at once gets it, however long it has failed."""
    store.set("sentinel", "1")
    with load(**keywords(store, vaults, refresh_on=["sentinel"])) as config:
        vaults.failing = {"one", "two"}
        live(config, clock, 1800)
        vaults.asked.clear()
        config.refresh(force=True)
        assert vaults.asked == {"one": 1, "two": 1}
        store.set("sentinel", "2")
        live(config, clock, 31)
        assert vaults.asked == {"one": 2, "two": 2}
