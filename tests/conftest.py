"""Fixtures that every folder of tests uses."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from appconfig_provider.testing import Emulator, FakeClock, Vault
from tests.support.adapter import LOADERS, Loader, Opener

# Examples may be slow on a busy machine, and leave nothing behind in the project.
settings.register_profile(
    "appconfig", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("appconfig")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs deaf to Ctrl-C, and the programs under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=list(LOADERS))
def load(request: pytest.FixtureRequest) -> Loader:
    """Load with the sync provider, then with the aio one."""
    return LOADERS[request.param]


@pytest.fixture
def opened(load: Loader) -> Iterator[Opener]:
    """Load with the sync provider, then with the aio one; closed at the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **keywords: stack.enter_context(load(**keywords))


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Give the clock that every provider lives by, and the store and the vault beside them."""
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Give a fresh store over real HTTP; it lives by the clock of a test that asks for one."""
    clock = request.getfixturevalue("clock") if "clock" in request.fixturenames else None
    with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def vault(clock: FakeClock) -> Iterator[Vault]:
    """Give a vault over real TLS."""
    with Vault(clock=clock) as emulated:
        yield emulated


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the random numbers of a provider that is loaded now be the one in this list."""
    number = [0.0]
    monkeypatch.setattr(random, "random", lambda: number[0])
    return number
