"""Secrets rotate as part of the next generation."""

from __future__ import annotations

import pytest

from appconfig_provider import ChangeSet, SettingSelector
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader
from tests.support.content import Resolver, secret_id, without_snapshots


def test_a_rotated_secret_keeps_its_trimmed_key(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """The new value stands under the trimmed key, and no untrimmed key appears."""
    store.set_secret("app/pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        trim_prefixes=["app/"],
        secret_resolver=secrets,
        secret_refresh_interval=60,
    ) as config:
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"pw": "a2"}


def test_two_keys_on_one_secret_rotate_together(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A secret that two keys point to is read once per rotation and reaches both."""
    store.set_secret("one", secret_id("pw"))
    store.set_secret("two", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
    ) as config:
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"one": "a2", "two": "a2"}
        assert secrets.asked == ["pw", "pw"]


def test_a_reference_that_became_plain_stays_plain(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A reference replaced by a text, or deleted, is not brought back by a rotation."""
    store.set_secret("pw", secret_id("pw"))
    store.set_secret("gone", secret_id("gone"))
    store.set("sentinel", "1")
    secrets = Resolver(pw="a1", gone="g1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        refresh_on=["sentinel"],
        secret_refresh_interval=100,
    ) as config:
        store.set("pw", "plain")
        store.delete("gone")
        store.set("sentinel", "2")
        clock.advance(30)
        assert config.refresh()
        secrets.values.update(pw="a2", gone="g2")
        clock.advance(70)
        assert not config.refresh()
        assert dict(config.snapshot) == {"pw": "plain", "sentinel": "2"}
        assert secrets.asked == ["gone", "pw"]


def test_one_failing_secret_does_not_end_rotation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """The others rotate, the failing one keeps its last value and heals by itself."""
    store.set_secret("a", secret_id("a"))
    store.set_secret("b", secret_id("b"))
    secrets = Resolver(a="a1", b="b1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
    ) as config:
        del secrets.values["a"]
        secrets.values["b"] = "b2"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "a1", "b": "b2"}
        secrets.values.update(a="a3", b="b3")
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "a3", "b": "b3"}


def test_a_failing_secret_does_not_skip_the_configuration(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """When settings and secrets are due together, a failing secret holds up no setting."""
    store.set_secret("pw", secret_id("pw"))
    store.set("sentinel", "1")
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        refresh_on=["sentinel"],
        secret_refresh_interval=30,
    ) as config:
        secrets.values.clear()
        store.set("sentinel", "2")
        clock.advance(30)
        assert config.refresh()
        assert dict(config.snapshot) == {"pw": "a1", "sentinel": "2"}


def test_rotation_works_without_a_sentinel(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """`secret_refresh_interval` alone makes refresh() due, and asks the store nothing."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
    ) as config:
        secrets.values["pw"] = "a2"
        store.clear_requests()
        clock.advance(59)
        assert not config.refresh()
        clock.advance(1)
        assert config.refresh()
        assert config.snapshot["pw"] == "a2"
        assert not store.requests


def test_a_reload_reads_unversioned_secrets_again(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A reload reads every secret again that has no version, however young it is."""
    store.set_secret("pw", secret_id("pw"))
    store.set_secret("fixed", secret_id("pw/v1"))
    store.set("sentinel", "1")
    secrets = Resolver(**{"pw": "a1", "pw/v1": "f1"})
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        refresh_on=["sentinel"],
    ) as config:
        for version in ("2", "3"):
            secrets.values.update({"pw": f"a{version}", "pw/v1": "never"})
            store.set("sentinel", version)
            clock.advance(30)
            assert config.refresh()
            assert config.snapshot["pw"] == f"a{version}"
        assert config.snapshot["fixed"] == "f1"
        assert sorted(secrets.asked) == ["pw", "pw", "pw", "pw/v1"]


def test_rotation_calls_back_when_a_value_differs(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A rotation publishes and calls back once with the key's name, if a value differs."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
        on_refresh_success=news.append,
    ) as config:
        clock.advance(60)
        assert not config.refresh()
        assert news == []
        assert config.snapshot.version == 1
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert news == [ChangeSet(changed=("pw",), reason="secret")]
        assert config.snapshot.version == 2


def test_rotation_goes_on_while_the_store_is_down(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Secrets have a timer of their own: with the store backing off they still rotate."""
    store.set_secret("pw", secret_id("pw"))
    store.set("sentinel", "1")
    secrets = Resolver(pw="a1")
    with (
        load(
            connection_string=store.connection_string,
            secret_resolver=secrets,
            refresh_on=["sentinel"],
            refresh_interval=100,
            secret_refresh_interval=60,
            retry_total=0,
        ) as config,
        store.respond(lambda _: Scripted(503)),
    ):
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert config.snapshot["pw"] == "a2"


def test_secrets_due_while_the_store_backs_off(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """refresh() does not raise, and secrets rotate, while every endpoint backs off."""
    store.set_secret("pw", secret_id("pw"))
    store.set("sentinel", "1")
    secrets = Resolver(pw="a1")
    with (
        load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            secret_refresh_interval=60,
            secret_resolver=secrets,
            retry_total=0,
        ) as config,
        store.respond(lambda _: Scripted(503)),
    ):
        secrets.values["pw"] = "a2"
        clock.advance(60)
        config.refresh()
        clock.advance(1)
        config.refresh()
        assert config.snapshot["pw"] == "a2"


def test_a_failing_secret_is_reported(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A rotation that keeps a last value because the secret cannot be read says so in the log."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_refresh_interval=60,
        secret_resolver=secrets,
    ) as config:
        secrets.values.clear()
        clock.advance(60)
        config.refresh()
        assert "'pw'" in caplog.text


def test_a_missing_snapshot_does_not_end_rotation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Watching all, a snapshot that is missing does not stop secrets of the old generation."""
    store.set("a", "1")
    store.create_snapshot("release", [("a", None)])
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with (
        load(
            connection_string=store.connection_string,
            refresh_enabled=True,
            selects=[SettingSelector(key_filter="*"), SettingSelector(snapshot_name="release")],
            secret_refresh_interval=60,
            secret_resolver=secrets,
        ) as config,
        without_snapshots(store),
    ):
        secrets.values["pw"] = "a2"
        for _ in range(3):
            clock.advance(60)
            config.refresh()
        assert config.snapshot["pw"] == "a2"


def test_a_rotation_that_heals_clears_the_error(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`status.last_error` of a failed rotation goes with the next one that works."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_policy="raise",
        secret_refresh_interval=60,
        secret_resolver=secrets,
    ) as config:
        secrets.values.clear()
        clock.advance(60)
        assert not config.refresh()
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert config.status.last_error is None
