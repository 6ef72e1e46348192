"""OpenFeature's global state, as it was before each test and after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext


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
