"""`refresh_enabled=True` without `refresh_on`: every selected page is watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider import ChangeSet, SettingSelector, load
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord
from tests.support.adapter import Loader

APP = [SettingSelector(key_filter="app/*")]


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store with two settings on a page."""
    with Emulator(page_size=2, clock=clock) as emulator:
        emulator.set_many({f"app/{number}": "old" for number in range(5)})
        yield emulator


def test_nothing_moved_publishes_nothing(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """An unchanged listing costs one 304 per page, publishes nothing and calls nobody."""
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        selects=APP,
        refresh_enabled=True,
        on_refresh_success=news.append,
    ) as config:
        store.clear_requests()
        store.set("other/key", "new")
        clock.advance(30)
        assert not config.refresh()
        assert [record.status for record in store.requests] == [304, 304, 304]
        assert news == []


def test_a_change_is_seen(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A changed setting on any page is published; only its page is downloaded, and once."""
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        selects=APP,
        refresh_enabled=True,
        on_refresh_success=news.append,
    ) as config:
        store.set("app/3", "new")
        store.clear_requests()
        clock.advance(30)
        assert config.refresh()
        assert config.snapshot["app/3"] == "new"
        assert news == [ChangeSet(changed=("app/3",), reason="page")]
        assert sorted(record.status or 0 for record in store.requests) == [200, 304, 304]


def test_an_insertion_is_seen(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A new setting is published wherever it stands: in front, between pages, at the end."""
    with load(
        connection_string=store.connection_string, selects=APP, refresh_enabled=True
    ) as config:
        for key in ("app/", "app/1b", "app/9", "app/99", "app/999"):
            store.set(key, "new")
            clock.advance(30)
            assert config.refresh(), key
            assert config.snapshot[key] == "new"
        assert len(config.snapshot) == 10


def test_a_deletion_is_seen(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """A deleted setting goes, whichever page it was on, and the last one too."""
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        selects=APP,
        refresh_enabled=True,
        on_refresh_success=news.append,
    ) as config:
        for number in (4, 0, 2, 1, 3):
            store.delete(f"app/{number}")
            clock.advance(30)
            assert config.refresh(), number
            assert f"app/{number}" not in config.snapshot
        assert dict(config.snapshot) == {}
        assert [change.removed for change in news] == [
            (f"app/{number}",) for number in (4, 0, 2, 1, 3)
        ]
        clock.advance(30)
        assert not config.refresh()
        store.set("app/0", "again")
        clock.advance(30)
        assert config.refresh()
        assert dict(config.snapshot) == {"app/0": "again"}


def test_switched_off_means_off(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """With `refresh_enabled=False` nothing is watched, whatever changes."""
    with load(
        connection_string=store.connection_string, selects=APP, refresh_enabled=False
    ) as config:
        store.set("app/0", "new")
        store.clear_requests()
        clock.advance(3000)
        assert not config.refresh(force=True)
        assert not store.requests


def test_a_setting_that_two_reloads_saw_in_two_places_stands_once() -> None:
    """What was written while pages were read shadows nothing twice, and publishes once."""
    with Emulator(page_size=2) as store:
        store.set_many({f"k{number}": "0" for number in range(0, 9, 2)})
        with load(connection_string=store.connection_string, refresh_enabled=True) as config:

            def write(record: RequestRecord) -> None:
                if "after" in record.target:
                    hook.remove()
                    store.set_many({"k3": "new", "k5": "new"})

            store.set("k1", "1")
            with store.after_answer(write) as hook:
                config.refresh(force=True)
            for key in ("k2", "k6"):
                store.delete(key)
                config.refresh(force=True)
            assert config.refresh(force=True) is False
            assert dict(config.snapshot) == {
                key: setting.value
                for key, setting in ((f"k{n}", store.get(f"k{n}")) for n in range(9))
                if setting is not None
            }
            for key in config.snapshot:
                assert config.snapshot.explain(key).shadows == ()
