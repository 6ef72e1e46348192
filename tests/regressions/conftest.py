"""A store whose clock the test moves, and the two faces of the provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider._io.clock import current_clock
from appconfig_provider.testing import Emulator, FakeClock

from .faces import Face


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """The clock of every provider that the test loads, and of its store."""
    fake = FakeClock()
    token = current_clock.set(fake)
    yield fake
    current_clock.reset(token)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store with one setting on a page."""
    with Emulator(page_size=1, clock=clock) as emulator:
        yield emulator


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    """The sync and the async provider in turn."""
    chosen = Face(request.param)
    yield chosen
    chosen.end()
