"""What would happen in silence is reported, once."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE, secret


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a few settings."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"app/host": "secret-1", "app/port": "secret-2", "sentinel": "1"})
        yield emulator


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what is logged, from INFO on."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    return caplog


def lines(caplog: pytest.LogCaptureFixture, part: str, level: int = logging.INFO) -> list[str]:
    """Return the lines of a level that hold a part."""
    found = [
        one.getMessage()
        for one in caplog.records
        if one.name == "appconfig_provider" and one.levelno == level and part in one.getMessage()
    ]
    assert all("secret-" not in line and line.isprintable() for line in found)
    return found


TAGS = "a setting must have every tag of a selector"
NONE = "nothing in the store matches"


def test_the_first_load_is_a_line(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """A load says how many keys and flags it found, where, and with how many requests."""
    store.set(".appconfig.featureflag/b", '{"id": "b", "enabled": true}', content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        sent = config.status.requests_sent
    (line,) = lines(log, "(loaded)")
    assert line == (
        f"configuration version 1 (loaded): 4 keys and 1 feature flag from {store.endpoint}; "
        f"{sent} requests"
    )


def test_a_selector_that_matches_nothing(
    load: Loader, store: Emulator, clock: FakeClock, log: pytest.LogCaptureFixture
) -> None:
    """Each selector without a match is one INFO line with key, label and tags, at the load only."""
    with load(
        connection_string=store.connection_string,
        selects=[
            SettingSelector(key_filter="app/*"),
            SettingSelector(key_filter="ap/*"),
            SettingSelector(key_filter="*", label_filter="prod\x1b[2J", tag_filters=["team=a"]),
        ],
        feature_flag_enabled=True,
        feature_flag_selectors=[SettingSelector(key_filter="beta")],
        refresh_enabled=True,
    ) as config:
        store.set("app/host", "secret-3")
        clock.advance(31)
        assert config.refresh()
    assert lines(log, NONE) == [
        "nothing in the store matches the selector (key 'ap/*', no label)",
        rf"{NONE} the selector (key '*', label 'prod\x1b[2J', tag 'team=a'); {TAGS}",
        "nothing in the store matches the feature flag selector (key 'beta', no label)",
    ]
    assert lines(log, NONE, logging.WARNING) == []


def test_when_no_selector_matches_anything(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """A configuration that is empty because nothing matches is one warning with all selectors."""
    with load(
        connection_string=store.connection_string,
        selects=[
            SettingSelector(key_filter="ap/*"),
            SettingSelector(key_filter="*", label_filter="x"),
        ],
    ) as config:
        assert len(config.snapshot) == 0
    (line,) = lines(log, NONE, logging.WARNING)
    assert "(key 'ap/*', no label)" in line
    assert "(key '*', label 'x')" in line
    assert lines(log, NONE) == []


def test_nothing_wanted_is_not_nothing_found(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """Who asks for no settings is not told that there are none."""
    with load(connection_string=store.connection_string, selects=[]):
        pass
    assert lines(log, NONE) + lines(log, NONE, logging.WARNING) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_refresh_with_nothing_watched(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture, force: bool
) -> None:
    """The first call of `refresh()` that can do nothing says so, the others are quiet."""
    with load(connection_string=store.connection_string) as config:
        assert lines(log, "nothing is watched", logging.WARNING) == []
        for _ in range(3):
            assert not config.refresh(force=force)
            assert not config.refresh()
    (line,) = lines(log, "nothing is watched", logging.WARNING)
    assert "refresh_on=[...]" in line


def test_a_refresh_that_was_switched_off(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """Who passed `refresh_enabled=False` is told without a warning."""
    with load(
        connection_string=store.connection_string, refresh_on=["sentinel"], refresh_enabled=False
    ) as config:
        assert not config.refresh()
        assert not config.refresh()
    assert lines(log, "nothing is watched", logging.WARNING) == []
    assert len(lines(log, "nothing is watched")) == 1


def test_a_refresh_after_close(
    load: Loader, store: Emulator, clock: FakeClock, log: pytest.LogCaptureFixture
) -> None:
    """The first call of `refresh()` after `close()` says so, due or not; the others are quiet."""
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        assert not config.refresh()
        config.close()
        for _ in range(3):
            assert not config.refresh()
            assert not config.refresh(force=True)
            clock.advance(100)
    assert len(lines(log, "after close()", logging.WARNING)) == 1


def test_a_watched_key_keeps_refresh_quiet(
    load: Loader, store: Emulator, clock: FakeClock, log: pytest.LogCaptureFixture
) -> None:
    """Where something is watched, no call of `refresh()` logs anything."""
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        for _ in range(3):
            assert not config.refresh()
            assert not config.refresh(force=True)
            clock.advance(31)
            assert not config.refresh()
    assert [one for one in log.records if one.levelno > logging.INFO] == []


SHARED = "once prefixes are trimmed"


def test_keys_that_trim_to_one(
    load: Loader, store: Emulator, clock: FakeClock, log: pytest.LogCaptureFixture
) -> None:
    """Settings that share a key after trimming are logged once, with the one that counts."""
    store.set("host", "secret-4")
    with load(
        connection_string=store.connection_string, trim_prefixes=["app/"], refresh_on=["sentinel"]
    ) as config:
        assert config.snapshot["host"] == "secret-4"
        store.set("port", "secret-5")
        for version in ("2", "3"):
            store.set("sentinel", version)
            clock.advance(31)
            assert config.refresh()
    assert lines(log, SHARED) == [
        f"several settings have the key 'host' {SHARED}: 'host' counts, not 'app/host'",
        f"several settings have the key 'port' {SHARED}: 'port' counts, not 'app/port'",
    ]


def test_one_key_with_several_labels_is_one_key(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """That a later selector wins is what selectors are for, and is not reported."""
    store.set("app/host", "secret-6", "prod")
    with load(
        connection_string=store.connection_string,
        trim_prefixes=["app/"],
        selects=[
            SettingSelector(key_filter="app/*"),
            SettingSelector(key_filter="app/*", label_filter="prod"),
        ],
    ):
        pass
    assert lines(log, SHARED) == []


def test_very_many_keys_that_trim_to_one(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """At most twenty of them are named."""
    store.set_many({f"app/k{number:02}": "1" for number in range(30)})
    store.set_many({f"k{number:02}": "2" for number in range(30)})
    with load(connection_string=store.connection_string, trim_prefixes=["app/"]):
        pass
    assert len(lines(log, SHARED)) == 20
    assert lines(log, "10 more keys") == ["the same is true of 10 more keys"]


def test_a_vault_in_trouble_is_reported_with_its_status(
    load: Loader, store: Emulator, clock: FakeClock, log: pytest.LogCaptureFixture
) -> None:
    """A secret that keeps its last value is a warning that names the key and the HTTP status."""
    with Vault(clock=clock) as vault:
        secret(store, vault, "pw", "secret-7")
        with load(
            connection_string=store.connection_string,
            keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
            verify=vault.ca_file,
            secret_refresh_interval=60,
            retry_total=0,
        ) as config:
            with vault.respond(lambda _: Scripted(503)):
                clock.advance(61)
                config.refresh()
            assert config.snapshot["pw"] == "secret-7"
    (line,) = lines(log, "'pw'", logging.WARNING)
    assert "503" in line
    assert "keeps its last value" in line


def test_a_refresh_of_flags_that_are_not_loaded_is_reported(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """`feature_flag_refresh_enabled` by itself does nothing, which is one warning at the load."""
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        feature_flag_refresh_enabled=True,
    ) as config:
        config.refresh(force=True)
    line = "feature_flag_refresh_enabled=True does nothing without feature_flag_enabled=True"
    assert lines(log, "feature_flag", logging.WARNING) == [line]


def test_tags_may_be_why_nothing_matches(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """Where a selector with tags finds nothing, the warning says what its tags mean."""
    selector = SettingSelector(key_filter="*", tag_filters=["team=a", "tier=b"])
    with load(connection_string=store.connection_string, selects=[selector]):
        pass
    (line,) = lines(log, NONE, logging.WARNING)
    assert line.endswith(TAGS)


def test_one_of_a_kind_is_reported_as_one(
    load: Loader, store: Emulator, log: pytest.LogCaptureFixture
) -> None:
    """The line of the first load counts one key and one request in the singular."""
    selects = [SettingSelector(key_filter="sentinel")]
    with load(connection_string=store.connection_string, selects=selects):
        pass
    (line,) = lines(log, "(loaded)")
    assert "(loaded): 1 key and 0 feature flags from" in line
    assert line.endswith("; 1 request")
