"""That the last setting was deleted is news like any other."""

from __future__ import annotations

from appconfig_provider import ChangeSet, SettingSelector
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Opener

APP = [SettingSelector(key_filter="app/*")]


def test_deleting_the_last_key_takes_effect(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """When the only selected setting is deleted, the configuration becomes empty and says so."""
    store.set("app/kill", "off")
    store.set("sentinel", "1")
    news: list[ChangeSet] = []
    config = opened(
        connection_string=store.connection_string,
        selects=APP,
        refresh_on=["sentinel"],
        on_refresh_success=news.append,
    )
    store.delete("app/kill")
    store.set("sentinel", "2")
    clock.advance(30)
    assert config.refresh()
    assert dict(config.snapshot) == {}
    assert news == [ChangeSet(removed=("app/kill",))]


def test_a_setting_deleted_for_good_does_not_come_back(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """After a deletion further refreshes, changed or not, do not bring the setting back."""
    store.set("app/kill", "off")
    store.set("sentinel", "1")
    config = opened(connection_string=store.connection_string, selects=APP, refresh_on=["sentinel"])
    store.delete("app/kill")
    for version in "234":
        store.set("sentinel", version)
        clock.advance(30)
        assert config.refresh()
        assert "app/kill" not in config.provider


def test_the_first_key_of_an_empty_configuration_takes_effect(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """A configuration that began empty is filled by the refresh after the first setting came."""
    config = opened(connection_string=store.connection_string, selects=APP, refresh_on=["sentinel"])
    assert len(config.provider) == 0
    store.set("app/kill", "on")
    store.set("sentinel", "1")
    clock.advance(30)
    assert config.refresh()
    assert dict(config.snapshot) == {"app/kill": "on"}


def test_a_sentinel_that_comes_changes_and_goes_triggers_each_time(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """Creation, change and deletion of a sentinel each load everything again; absence does not."""
    store.set("app/n", "0")
    config = opened(
        connection_string=store.connection_string, selects=APP, refresh_on=[("sentinel", "prod")]
    )
    clock.advance(30)
    assert not config.refresh()
    for number, write in enumerate(("1", "2", None), 1):
        store.set("app/n", str(number))
        if write is None:
            store.delete("sentinel", "prod")
        else:
            store.set("sentinel", write, "prod")
        clock.advance(30)
        assert config.refresh()
        assert config.provider["app/n"] == str(number)
        clock.advance(30)
        assert not config.refresh()


def test_an_empty_list_of_selectors_loads_nothing(opened: Opener, store: Emulator) -> None:
    """`selects=[]` means no settings, unlike `selects=None`, which means all without a label."""
    store.set("app/n", "0")
    assert not opened(connection_string=store.connection_string, selects=[]).snapshot
    assert len(opened(connection_string=store.connection_string, selects=None).snapshot) == 1
