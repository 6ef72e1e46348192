"""OpenFeature's global state, as it was before each test and after it; ConfigCat clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from appconfig_provider.testing import FakeClock
from tests.support.configcat_clients import Make, awaited, threaded


def _forget() -> None:
    api.shutdown()
    api.clear_providers()
    api.clear_hooks()
    api.set_evaluation_context(EvaluationContext())


@pytest.fixture(autouse=True)
def openfeature() -> Iterator[None]:
    """Leave nothing in OpenFeature: it belongs to the whole process."""
    _forget()
    yield
    _forget()


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def make(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Make]:
    """Yield what makes clients, for threads and for asyncio."""
    with request.param() as make:
        yield make
