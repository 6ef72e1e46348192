"""Managers of both kinds."""

from __future__ import annotations

import pytest

from tests.support.managers import MANAGERS, Manage


@pytest.fixture(params=list(MANAGERS))
def manage(request: pytest.FixtureRequest) -> Manage:
    """Make managers for threads, then for asyncio."""
    return MANAGERS[request.param]
