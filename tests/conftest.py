"""Fixtures that every folder of tests uses."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator
from tests.support.faces import FACES, Loader

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs deaf to Ctrl-C, and the programs under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=list(FACES))
def load(request: pytest.FixtureRequest) -> Loader:
    """Load with the sync face, then with the async one."""
    return FACES[request.param]


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a fresh store over real HTTP."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """Leave a test out of the measurement of coverage.

    It makes a busy test three times as long, and keeps something of every thread there ever was.
    """
    here, elsewhere = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    sys.settrace(here)
    threading.settrace(elsewhere)
