"""Content that was refused is known: it is asked for by its ETags, and not downloaded again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider import ChangeSet, ConfigurationSnapshot, SettingSelector
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_TYPE, secret_id, set_flag

SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)
SENTINEL: dict[str, Any] = {"refresh_on": ["ks"]}
PAGES: dict[str, Any] = {"refresh_enabled": True}
KEYS = [SettingSelector(key_filter="k*")]
WAYS = pytest.mark.parametrize("watching", [SENTINEL, PAGES], ids=["sentinel", "pages"])
INTERVAL = 10
CHECKS = 120
"""Twenty minutes of checks."""


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store with several pages, a flag and a sentinel."""
    with Emulator(page_size=3, clock=clock) as emulator:
        emulator.set_many({f"k{number}": "good" for number in range(10)})
        emulator.set("ks", "1")
        set_flag(emulator, "Beta", enabled=False)
        yield emulator


def bodies(store: Emulator) -> int:
    """Return how many pages were downloaded."""
    pages = [record for record in store.requests if record.target.startswith("/kv?")]
    return sum(record.status == 200 for record in pages)


def refuse_bad(snapshot: ConfigurationSnapshot) -> None:
    """Refuse any text that says it is bad, and flags that are on."""
    if "bad" in snapshot.values():
        raise ValueError


def flags_of(snapshot: ConfigurationSnapshot) -> Any:
    """Return the feature flags."""
    management: Any = snapshot["feature_management"]
    return management["feature_flags"]


def refuse_more_flags(snapshot: ConfigurationSnapshot) -> None:
    """Refuse a second flag."""
    if len(flags_of(snapshot)) > 1:
        raise ValueError


def refuse_flags(snapshot: ConfigurationSnapshot) -> None:
    """Refuse a flag that is on."""
    if flags_of(snapshot)[0]["enabled"]:
        raise ValueError


def check_for_twenty_minutes(config: Provider, clock: FakeClock) -> None:
    """Refresh at every interval; nothing is to be published."""
    for _ in range(CHECKS):
        clock.advance(INTERVAL)
        assert not config.refresh()


def spoil(store: Emulator, how: str) -> int:
    """Write something that is refused; return how many pages that changes."""
    match how:
        case "validate":
            store.set("k4", "bad")
        case "secret":
            store.set_secret("k4", secret_id("gone"))
        case "snapshot":
            store.set("k4", '{"snapshot_name": "gone"}', content_type=SNAPSHOT_REFERENCE)
    store.set("ks", "2")
    return 2


def resolver(_uri: str) -> str:
    """Resolve nothing."""
    raise LookupError


@WAYS
@pytest.mark.parametrize("how", ["validate", "secret", "snapshot"])
def test_refused_content_is_downloaded_once(
    load: Loader, store: Emulator, clock: FakeClock, how: str, watching: dict[str, Any]
) -> None:
    """Each page that changed is downloaded once, however long the generation stays refused."""
    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse_bad,
        secret_resolver=resolver,
        refresh_interval=INTERVAL,
        **watching,
    ) as config:
        changed = spoil(store, how)
        store.clear_requests()
        check_for_twenty_minutes(config, clock)
        assert bodies(store) == changed
        assert config.snapshot["k4"] == "good"
        assert config.status.last_error is not None


@WAYS
def test_what_replaces_refused_content_is_published(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, Any]
) -> None:
    """Whether something moved is judged against what is served; only what differs is downloaded."""
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse_bad,
        refresh_interval=INTERVAL,
        on_refresh_success=news.append,
        **watching,
    ) as config:
        spoil(store, "validate")
        check_for_twenty_minutes(config, clock)
        store.clear_requests()
        store.set("k4", "better")
        store.set("k9", "better")
        store.set("ks", "3")
        clock.advance(INTERVAL)
        assert config.refresh()
        assert news[0].changed == ("k4", "k9", "ks")
        assert bodies(store) == 2
        assert config.status.last_error is None


def test_refused_pages_that_are_gone_are_forgotten(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """When the store holds what is served again, nothing stands refused any more."""
    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse_bad,
        refresh_interval=INTERVAL,
        **PAGES,
    ) as config:
        version = config.snapshot.version
        store.set("k99", "bad")
        clock.advance(INTERVAL)
        assert not config.refresh()
        assert config.status.last_error is not None
        store.delete("k99")
        clock.advance(INTERVAL)
        assert not config.refresh()
        assert config.status.last_error is None
        store.clear_requests()
        check_for_twenty_minutes(config, clock)
        assert bodies(store) == 0
        assert config.snapshot.version == version


@WAYS
def test_refused_flags_are_downloaded_once(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, Any]
) -> None:
    """Flags that are refused are known as well, beside settings that are refused with them."""
    flags = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    calls: list[None] = []

    def refuse(snapshot: ConfigurationSnapshot) -> None:
        calls.append(None)
        refuse_bad(snapshot)
        refuse_flags(snapshot)

    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse,
        refresh_interval=INTERVAL,
        **flags,
        **watching,
    ) as config:
        set_flag(store, "Beta", enabled=True)
        changed = spoil(store, "validate")
        store.clear_requests()
        calls.clear()
        check_for_twenty_minutes(config, clock)
        assert bodies(store) == changed + 1
        assert len(calls) <= 40
        set_flag(store, "Beta", enabled=False)
        store.set("k4", "good again")
        store.set("ks", "3")
        clock.advance(INTERVAL)
        assert config.refresh()
        assert config.snapshot["k4"] == "good again"
        assert config.status.last_error is None


@WAYS
def test_flags_move_beside_refused_settings(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, Any]
) -> None:
    """A flag that moves while settings stand refused counts at once, and is downloaded once."""
    flags = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse_bad,
        refresh_interval=INTERVAL,
        **flags,
        **watching,
    ) as config:
        spoil(store, "validate")
        clock.advance(INTERVAL)
        assert not config.refresh()
        store.clear_requests()
        for enabled in (True, False, True):
            set_flag(store, "Beta", enabled=enabled)
            clock.advance(INTERVAL)
            assert config.refresh()
            assert flags_of(config.snapshot)[0]["enabled"] == enabled
            for _ in range(20):
                clock.advance(INTERVAL)
                assert not config.refresh()
        assert bodies(store) == 3
        assert config.snapshot["k4"] == "good"
        assert config.status.last_error is not None


def test_flags_move_while_a_snapshot_is_missing(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Watching pages, settings that cannot be listed do not keep a flag from counting."""

    def gone(record: RequestRecord) -> Scripted | None:
        return Scripted(404) if record.target.startswith("/snapshots/") else None

    store.create_snapshot("s", [{"key": "k*"}])
    with (
        load(
            connection_string=store.connection_string,
            selects=[*KEYS, SettingSelector(snapshot_name="s")],
            refresh_interval=INTERVAL,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
            **PAGES,
        ) as config,
        store.respond(gone),
    ):
        set_flag(store, "Beta", enabled=True)
        clock.advance(INTERVAL)
        assert config.refresh()
        assert flags_of(config.snapshot)[0]["enabled"]
        assert "s" in str(config.status.last_error)
        store.clear_requests()
        check_for_twenty_minutes(config, clock)
        assert bodies(store) == 0


def test_refused_flags_that_are_gone_are_forgotten(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """With sentinels, too, nothing stands refused when the flags are those being served again."""
    with load(
        connection_string=store.connection_string,
        selects=KEYS,
        validate=refuse_more_flags,
        refresh_interval=INTERVAL,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
        **SENTINEL,
    ) as config:
        flag = {"id": "New", "enabled": True, "conditions": {"client_filters": []}}
        store.set(".appconfig.featureflag/New", json.dumps(flag), content_type=FLAG_TYPE)
        clock.advance(INTERVAL)
        assert not config.refresh()
        assert config.status.last_error is not None
        store.delete(".appconfig.featureflag/New")
        clock.advance(INTERVAL)
        assert not config.refresh()
        assert config.status.last_error is None
