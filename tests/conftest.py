"""Fixtures that every folder of tests uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator
from tests.support.faces import FACES, Loader


@pytest.fixture(params=list(FACES))
def load(request: pytest.FixtureRequest) -> Loader:
    """Load with the sync face, then with the async one."""
    return FACES[request.param]


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a fresh store over real HTTP."""
    with Emulator() as emulator:
        yield emulator
