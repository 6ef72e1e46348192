"""One store for a whole module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    """A store with three settings on a page that many examples use one after another."""
    with Emulator(page_size=3) as emulator:
        yield emulator


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failing official load() raise at once; it sleeps five seconds against crash loops."""
    monkeypatch.setattr("azure.appconfiguration.provider._load.delay_failure", lambda _began: None)
