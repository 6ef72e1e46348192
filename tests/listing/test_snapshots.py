"""A snapshot that is not there is an error, never an empty configuration."""

from __future__ import annotations

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.errors import SnapshotNotFoundError
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader
from tests.support.content import SNAPSHOT_REFERENCE, without_snapshots

SELECTS = [SettingSelector(key_filter="*"), SettingSelector(snapshot_name="release")]


def test_a_missing_snapshot_fails_the_load(load: Loader, store: Emulator) -> None:
    """Load() raises an error that names the snapshot, at once."""
    store.set("a", "1")
    with (
        pytest.raises(SnapshotNotFoundError, match="'release'") as caught,
        load(connection_string=store.connection_string, selects=SELECTS),
    ):
        pass
    assert caught.value.name == "release"
    assert len(store.requests) <= 2


def test_a_missing_referenced_snapshot_fails_the_load(load: Loader, store: Emulator) -> None:
    """A snapshot reference to a snapshot that is not there is the same error."""
    store.set("ref", '{"snapshot_name": "release"}', content_type=SNAPSHOT_REFERENCE)
    with (
        pytest.raises(SnapshotNotFoundError, match="'release'"),
        load(connection_string=store.connection_string),
    ):
        pass


@pytest.mark.parametrize("watching", [{"refresh_on": ["sentinel"]}, {"refresh_enabled": True}])
def test_a_snapshot_that_went_keeps_the_generation(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, object]
) -> None:
    """On refresh the old generation stays and the error is reported; both heal by themselves."""
    store.set("a", "1")
    store.set("sentinel", "1")
    store.create_snapshot("release", [("a", None)])
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        selects=SELECTS,
        on_refresh_error=errors.append,
        **watching,
    ) as config:
        before = config.snapshot
        store.set("sentinel", "2")
        with without_snapshots(store):
            clock.advance(30)
            assert not config.refresh()
        assert config.snapshot is before
        assert [type(error) for error in errors] == [SnapshotNotFoundError]
        assert "'release'" in str(errors[0])
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "1", "sentinel": "2"}
        assert config.status.last_error is None


def test_a_reference_to_a_snapshot_waits_for_it(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A reference added before its snapshot is refused until the snapshot exists."""
    store.set("a", "1")
    store.set("sentinel", "1")
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        store.set("ref", '{"snapshot_name": "release"}', content_type=SNAPSHOT_REFERENCE)
        store.set("sentinel", "2")
        clock.advance(30)
        assert not config.refresh()
        assert dict(config.snapshot) == {"a": "1", "sentinel": "1"}
        store.create_snapshot("release", [("a", None)])
        store.set("a", "2")
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "1", "sentinel": "2"}


def test_a_snapshot_must_hold_each_key_once(load: Loader, store: Emulator) -> None:
    """A snapshot of composition `key_label` is refused with its name."""
    store.set("a", "1")
    store.create_snapshot("release", [("a", None)], composition="key_label")
    with (
        pytest.raises(ValueError, match="'release' must have the composition type 'key'"),
        load(connection_string=store.connection_string, selects=SELECTS),
    ):
        pass
