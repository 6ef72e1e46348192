"""While a new configuration is refused, nobody confirms what is served, and its age grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appconfig_provider import ConfigurationSnapshot
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider
from tests.support.content import secret_id, set_flag

SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)
INTERVAL = 10.0
WAYS = pytest.mark.parametrize(
    "watching", [{"refresh_on": ["ks"]}, {"refresh_enabled": True}], ids=["sentinel", "pages"]
)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store with a setting, a flag and a sentinel."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"k": "good", "ks": "1"})
        set_flag(emulator, "Beta", enabled=False)
        yield emulator


def refuse_bad(snapshot: ConfigurationSnapshot) -> None:
    """Refuse a text that says it is bad."""
    if snapshot["k"] == "bad":
        raise ValueError


def resolver(_uri: str) -> str:
    """Resolve nothing."""
    raise LookupError


def spoilt_setting(store: Emulator) -> None:
    """Write what `validate` refuses."""
    store.set("k", "bad")


def gone_secret(store: Emulator) -> None:
    """Refer to a secret that cannot be read."""
    store.set_secret("k", secret_id("gone"))


def gone_snapshot(store: Emulator) -> None:
    """Refer to a snapshot that is not there."""
    store.set("k", '{"snapshot_name": "gone"}', content_type=SNAPSHOT_REFERENCE)


REFUSALS = pytest.mark.parametrize("spoil", [spoilt_setting, gone_secret, gone_snapshot])


def keywords(store: Emulator, watching: dict[str, Any]) -> dict[str, Any]:
    """Return what these tests load with."""
    return {
        "connection_string": store.connection_string,
        "validate": refuse_bad,
        "secret_resolver": resolver,
        "secret_policy": "raise",
        "refresh_interval": INTERVAL,
        **watching,
    }


def ages(config: Provider, clock: FakeClock, checks: int) -> list[float]:
    """Return the age after each of some checks."""
    found = []
    for _ in range(checks):
        clock.advance(INTERVAL)
        config.refresh()
        found.append(config.status.age)
    return found


@WAYS
@REFUSALS
def test_the_age_grows_at_every_check_while_something_is_refused(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    spoil: Callable[[Emulator], None],
    watching: dict[str, Any],
) -> None:
    """From the first refusal on, whether a check loads it again or not."""
    with load(**keywords(store, watching)) as config:
        assert ages(config, clock, 2) == [0.0, 0.0]
        confirmed = config.status.last_success
        spoil(store)
        store.set("ks", "2")
        assert ages(config, clock, 12) == [INTERVAL * number for number in range(1, 13)]
        assert config.status.last_success == confirmed
        assert not config.status.healthy(max_age=100)
        store.set("k", "good again")
        store.set("ks", "3")
        assert ages(config, clock, 2) == [0.0, 0.0]


@WAYS
def test_flags_published_meanwhile_do_not_confirm_the_settings(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, Any]
) -> None:
    """A kill switch works while settings are refused, which are as old as before."""
    flags = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    given = {**keywords(store, watching), **flags, "feature_flag_refresh_interval": INTERVAL}
    with load(**given) as config:
        store.set("k", "bad")
        store.set("ks", "2")
        grown = ages(config, clock, 2)
        set_flag(store, "Beta", enabled=True)
        grown += ages(config, clock, 3)
        management: Any = config.snapshot["feature_management"]
        assert management["feature_flags"][0]["enabled"] is True
        assert grown == [INTERVAL * number for number in range(1, 6)]


def test_flags_that_come_with_refused_settings_do_not_confirm_them(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """What is published of one check is not the whole of it."""
    flags = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    given = {**keywords(store, {"refresh_on": ["ks"]}), **flags}
    with load(**given, feature_flag_refresh_interval=INTERVAL) as config:
        set_flag(store, "Beta", enabled=True)
        store.set("k", "bad")
        store.set("ks", "2")
        assert ages(config, clock, 1) == [INTERVAL]
        assert config.snapshot.version == 2


def test_settings_that_go_back_are_confirmed(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Where the store holds again what is served, the age is zero."""
    with load(**keywords(store, {"refresh_enabled": True})) as config:
        store.set("k", "bad")
        assert ages(config, clock, 2) == [INTERVAL, 2 * INTERVAL]
        store.set("k", "good")
        assert ages(config, clock, 1) == [0.0]


def test_a_secret_in_trouble_leaves_the_store_its_say(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A vault has no part in the age: the store confirmed the settings."""
    store.set_secret("k", secret_id("pw"))
    answers = ["good"]
    given = {**keywords(store, {"refresh_on": ["ks"]}), "secret_refresh_interval": 60.0}
    with load(**{**given, "secret_resolver": lambda _uri: answers.pop()}) as config:
        assert ages(config, clock, 12) == [0.0] * 12
        assert config.status.last_error is not None
