"""200,000 settings, which is more than a check that recurses once a page survives."""

from __future__ import annotations

from .answers import PAGE_SIZE
from .server import running_store
from .sides import ALL_PAGES, SENTINEL, load_ours

SETTINGS = 200_000
MORE = 8
"""Requests beyond one a page: sentinels before and after, a gap to close."""


def test_two_hundred_thousand_settings_are_loaded_checked_and_reloaded() -> None:
    """Watching a sentinel or every page: each look costs a request a page and a few, no more."""
    with running_store(SETTINGS) as store:
        for setup in (ALL_PAGES, SENTINEL):
            with load_ours(store.connection, setup) as config:
                assert len(config) == SETTINGS
                assert config.refresh(force=True) is False
                value = f"changed while watching {setup}"
                store.change({store.keys[-1]: value, "sentinel": value})
                before = config.status.requests_sent
                assert config.refresh(force=True) is True
                assert config.status.requests_sent - before <= SETTINGS // PAGE_SIZE + MORE
                assert config[store.keys[-1]] == value
                assert config.snapshot.consistent
