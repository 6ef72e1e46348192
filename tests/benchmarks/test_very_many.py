"""200,000 settings, which is more than a check that recurses once a page survives."""

from __future__ import annotations

import pytest

from .answers import PAGE_SIZE
from .server import running_store
from .sides import ALL_PAGES, load_ours

pytestmark = pytest.mark.heavy

SETTINGS = 200_000
MORE = 8
"""Requests beyond one a page."""


def test_two_hundred_thousand_settings_are_loaded_checked_and_reloaded() -> None:
    """Each check costs a request a page and a few, no more; a change is found."""
    with running_store(SETTINGS) as store, load_ours(store.connection, ALL_PAGES) as config:
        assert len(config) == SETTINGS
        sent = config.status.requests_sent
        assert config.refresh(force=True) is False
        assert config.status.requests_sent - sent <= SETTINGS // PAGE_SIZE + MORE
        store.change({store.keys[-1]: "changed"})
        sent = config.status.requests_sent
        assert config.refresh(force=True) is True
        assert config.status.requests_sent - sent <= SETTINGS // PAGE_SIZE + MORE
        assert config[store.keys[-1]] == "changed"
