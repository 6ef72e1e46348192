"""What vanishes from the store while a program runs is reported by the refresh that finds it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider

SELECTS = [SettingSelector(key_filter="a/*"), SettingSelector(key_filter="b/*")]
WAYS = pytest.mark.parametrize(
    "watching", [{"refresh_on": ["sentinel"]}, {"refresh_enabled": True}], ids=["sentinel", "pages"]
)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with something for each selector."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"a/k": "1", "b/k": "1", "sentinel": "1"})
        yield emulator


def refreshed(
    config: Provider, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> list[tuple[str, str]]:
    """Refresh after a change; return the lines about what is missing, by their level."""
    caplog.clear()
    sentinel = store.get("sentinel")
    if sentinel is not None:
        store.set("sentinel", f"{sentinel.value}+")
    clock.advance(31)
    config.refresh()
    config.refresh(force=True)
    return [
        (one.levelname, one.getMessage())
        for one in caplog.records
        if "nothing in the store" in one.getMessage() or "watched key" in one.getMessage()
    ]


@WAYS
def test_selectors_that_match_nothing_any_more(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    watching: dict[str, Any],
) -> None:
    """One INFO line each time one becomes empty, one WARNING each time all are."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    selecting = {"connection_string": store.connection_string, "selects": SELECTS}
    with load(**selecting, **watching) as config:
        store.delete("a/k")
        one = "nothing in the store matches the selector (key 'a/*', no label)"
        assert refreshed(config, store, clock, caplog) == [("INFO", one)]
        assert refreshed(config, store, clock, caplog) == []
        store.delete("b/k")
        ((level, line),) = refreshed(config, store, clock, caplog)
        assert level == "WARNING"
        both = "selector (key 'a/*', no label); selector (key 'b/*', no label); "
        assert line.startswith(f"nothing in the store matches: {both}")
        assert refreshed(config, store, clock, caplog) == []
        store.set_many({"a/k": "2", "b/k": "2"})
        assert refreshed(config, store, clock, caplog) == []
        store.delete("a/k")
        store.delete("b/k")
        ((level, line),) = refreshed(config, store, clock, caplog)
        assert level == "WARNING"


def test_a_watched_key_that_is_gone(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One WARNING each time it vanishes."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        gone = "watched key 'sentinel' (label None) is no longer in the store"
        for value in ("2", "3"):
            store.delete("sentinel")
            ((level, line),) = refreshed(config, store, clock, caplog)
            assert level == "WARNING"
            assert line == f"{gone}; refresh() waits for it to appear"
            assert refreshed(config, store, clock, caplog) == []
            store.set("sentinel", value)
            assert refreshed(config, store, clock, caplog) == []
