"""Fixtures of the pages: ConfigCat's CDN on this machine, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import ConfigCatEmulator, FakeClock

from .running import ADDRESS, stop_all


@pytest.fixture
def cdn(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigCatEmulator]:
    """Give ConfigCat's CDN, where the page's blocks find it; both sides live by one clock."""
    with ConfigCatEmulator(clock=clock) as emulator:
        monkeypatch.setenv(ADDRESS, emulator.base_url)
        yield emulator
        stop_all()
