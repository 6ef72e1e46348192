"""What a provider tells OpenFeature by itself: changed flags, staleness, recovery."""

from __future__ import annotations

import queue
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.event import EventDetails, ProviderEvent
from openfeature.provider import ProviderStatus

import appconfig_provider
from appconfig_provider import FileCache, OverrideBehaviour, Overrides
from appconfig_provider.testing import Emulator, FakeClock
from tests.openfeature.clients import Heard, client_of, reason
from tests.support.adapter import Loader
from tests.support.content import FLAG_PREFIX, set_flag
from tests.support.managers import flag, holding

FOLLOWED: dict[str, Any] = {
    "feature_flag_enabled": True,
    "feature_flag_refresh_enabled": True,
    "refresh_interval": 10,
}


def test_changed_flags_are_told_by_name(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A refresh after which flags differ is told, with the names of those that differ."""
    for name in ("alpha", "beta"):
        set_flag(store, name)
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        heard = Heard(config.provider)
        assert heard.told() == []
        set_flag(store, "beta", enabled=False)
        set_flag(store, "gamma")
        store.delete(FLAG_PREFIX + "alpha")
        clock.advance(10)
        assert config.refresh()
        assert heard.told() == [("CONFIGURATION_CHANGED", ["alpha", "beta", "gamma"])]
        assert heard.reason() == "DISABLED"


def test_settings_that_change_are_not_told(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A refresh that changes settings, or nothing, is no event: OpenFeature knows flags only."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    keywords = {**FOLLOWED, "refresh_on": ["sentinel"]}
    with load(connection_string=store.connection_string, **keywords) as config:
        heard = Heard(config.provider)
        store.set("sentinel", "2")
        clock.advance(10)
        assert config.refresh()
        clock.advance(10)
        assert not config.refresh()
        assert heard.told() == []


def test_nothing_is_told_after_shutdown(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A provider that was shut down listens to nothing."""
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        heard = Heard(config.provider)
        heard.provider.shutdown()
        set_flag(store, "beta")
        clock.advance(10)
        assert config.refresh()
        assert heard.told() == []


def test_an_evaluation_notices_that_flags_are_old(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Past `stale_after` the next evaluation tells STALE once, and is STALE itself."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        heard = Heard(config.provider, stale_after=60)
        clock.advance(60)
        assert (heard.reason(), heard.told()) == ("STATIC", [])
        clock.advance(1)
        assert heard.told() == []
        assert [heard.reason(), heard.reason()] == ["STALE", "STALE"]
        assert heard.told() == [("STALE", None)]
        assert not config.refresh()  # nothing has changed, and the store has said so
        assert heard.told() == [("READY", None)]
        assert heard.reason() == "STATIC"
        clock.suspend(61)  # the age counts a suspend
        assert heard.reason() == "STALE"


@pytest.mark.parametrize("interval", [None, 600], ids=["flags not refreshed", "more rarely"])
def test_a_check_of_the_settings_confirms_no_flags(
    load: Loader, store: Emulator, clock: FakeClock, interval: float | None
) -> None:
    """What counts is when the store confirmed the flags: settings may be checked far more often."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    keywords: dict[str, Any] = {
        "feature_flag_enabled": True,
        "feature_flag_refresh_enabled": interval is not None,
        "feature_flag_refresh_interval": interval,
        "refresh_interval": 10,
        "refresh_on": ["sentinel"],
    }
    with load(connection_string=store.connection_string, **keywords) as config:
        heard = Heard(config.provider, stale_after=60)
        clock.advance(40)
        store.set("sentinel", "2")
        assert config.refresh()
        clock.advance(21)
        assert not config.refresh()
        assert config.status.age == 0
        assert heard.told() == [("STALE", None)]
        assert heard.reason() == "STALE"
        clock.advance(600)
        config.refresh()
        assert heard.reason() == ("STALE" if interval is None else "STATIC")


def test_flags_are_confirmed_while_settings_are_refused(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Settings that `validate` refuses say nothing of flags, which the store still has."""
    set_flag(store, "beta")
    store.set("sentinel", "1")

    def validate(snapshot: Any) -> None:
        if snapshot["sentinel"] != "1":
            raise ValueError

    keywords = {**FOLLOWED, "refresh_on": ["sentinel"], "validate": validate}
    with load(connection_string=store.connection_string, **keywords) as config:
        heard = Heard(config.provider, stale_after=60)
        store.set("sentinel", "2")
        for _ in range(7):
            clock.advance(30)
            config.refresh()
        assert config.status.age > 200
        assert (heard.reason(), heard.told()) == ("STATIC", [])


def test_a_failed_refresh_notices_that_flags_are_old(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Without any evaluation the attempts to refresh tell STALE, and READY when one succeeds."""
    set_flag(store, "beta")
    keywords = {**FOLLOWED, "retry_total": 0}
    with load(connection_string=store.connection_string, **keywords) as config:
        heard = Heard(config.provider, stale_after=60)
        with store.down():
            clock.advance(30)
            config.refresh(force=True)
            assert heard.told() == []
            clock.advance(31)
            config.refresh(force=True)
            assert heard.told() == [("STALE", None)]
            clock.advance(31)
            config.refresh(force=True)
            assert heard.told() == []
        clock.advance(600)
        config.refresh(force=True)
        assert heard.told() == [("READY", None)]


def test_without_a_limit_age_does_not_count(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Whoever gives no `stale_after` has flags that never become old."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        heard = Heard(config.provider)
        clock.advance(1_000_000)
        assert (heard.reason(), heard.told()) == ("STATIC", [])


def test_a_copy_of_an_earlier_run_is_stale(
    load: Loader, store: Emulator, clock: FakeClock, tmp_path: Path
) -> None:
    """Flags that no store has confirmed since this start are STALE, until the store answers."""
    set_flag(store, "beta")
    keywords = {**FOLLOWED, "retry_total": 0, "startup_timeout": 0}
    cache = FileCache(str(tmp_path / "copy"))
    with load(connection_string=store.connection_string, cache=cache, **keywords):
        pass
    with ExitStack() as stack:
        with store.down():
            config = stack.enter_context(
                load(connection_string=store.connection_string, cache=cache, **keywords)
            )
        heard = Heard(config.provider)
        assert (heard.reason(), heard.told()) == ("STALE", [("STALE", None)])
        clock.advance(600)
        config.refresh(force=True)
        assert (heard.reason(), heard.told()) == ("STATIC", [("READY", None)])


def test_flags_without_a_store_are_never_stale(clock: FakeClock) -> None:
    """What nobody else confirms has no age: a plain Mapping, or overrides without a store."""
    given = holding(flag("beta"))
    local = Overrides.from_dict(given, behaviour=OverrideBehaviour.LOCAL_ONLY)
    with appconfig_provider.load(overrides=local) as config:
        for each in (given, config):
            heard = Heard(each, stale_after=1)
            clock.advance(1_000)
            assert (heard.reason(), heard.told()) == ("STATIC", [])


def test_one_of_many_threads_tells_that_flags_are_old(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Evaluations of many threads at once tell a change of the state once."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        heard = Heard(config.provider, stale_after=60)
        for _ in range(20):
            clock.advance(61)
            barrier = threading.Barrier(8)
            reasons: list[Any] = []

            def ask(barrier: threading.Barrier = barrier, reasons: list[Any] = reasons) -> None:
                barrier.wait(20)
                reasons.append(heard.reason())

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert reasons == ["STALE"] * 8
            assert heard.told() == [("STALE", None)]
            config.refresh(force=True)
            assert heard.told() == [("READY", None)]


def test_a_client_sees_the_state_and_its_handlers_the_events(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Through the SDK: the status follows, handlers get the names of flags, READY comes once."""
    set_flag(store, "beta")
    events: queue.SimpleQueue[tuple[str, EventDetails]] = queue.SimpleQueue()

    def noted(name: str, details: EventDetails) -> None:
        events.put((name, details))

    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        client = client_of(config.provider, stale_after=60)
        for event in ProviderEvent:
            client.add_handler(event, partial(noted, event.name))
        assert events.get(timeout=20)[0] == "PROVIDER_READY"
        clock.advance(61)
        assert reason(client, "beta") == "STALE"
        assert client.get_provider_status() is ProviderStatus.STALE
        assert events.get(timeout=20)[0] == "PROVIDER_STALE"
        set_flag(store, "beta", enabled=False)
        assert config.refresh()
        told = dict(events.get(timeout=20) for _ in range(2))
        assert set(told) == {"PROVIDER_READY", "PROVIDER_CONFIGURATION_CHANGED"}
        assert told["PROVIDER_CONFIGURATION_CHANGED"].flags_changed == ["beta"]
        assert client.get_provider_status() is ProviderStatus.READY
        api.clear_providers()
    assert events.empty()
