"""A store and a vault that live by a clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator, FakeClock, Vault


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """The clock of every provider the test loads, of its store and of its vault."""
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store over real HTTP."""
    with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def vault(clock: FakeClock) -> Iterator[Vault]:
    """A vault over real TLS."""
    with Vault(clock=clock) as emulated:
        yield emulated
