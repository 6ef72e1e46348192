"""A fresh emulator for each test, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator

from .raw import Raw


@pytest.fixture
def store() -> Iterator[Emulator]:
    """An empty store with pages of three."""
    with Emulator(page_size=3) as emulator:
        yield emulator


@pytest.fixture
def raw(store: Emulator) -> Iterator[Raw]:
    """A connection to the store."""
    with Raw(store.endpoint) as connection:
        yield connection
