"""A fresh emulator for each test, and a connection to it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator, FakeClock

from .raw import Raw


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at a whole second."""
    return FakeClock(float(int(time.time())))


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An empty store with pages of three, living by the clock of a test that asks for one."""
    timed = "clock" in request.fixturenames
    clock = request.getfixturevalue("clock") if timed else None
    with Emulator(page_size=3, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def raw(store: Emulator) -> Iterator[Raw]:
    """A connection to the store."""
    with Raw(store.endpoint) as connection:
        yield connection
