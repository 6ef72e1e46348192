"""A server, and clients of either kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.configcat_clients import Make, awaited, threaded


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """Yield a server with one setting."""
    with ConfigCatEmulator() as cdn:
        cdn.set("flag", value=True)
        yield cdn


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def make(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Make]:
    """Yield what makes clients, for threads and for asyncio."""
    with request.param() as make:
        yield make
