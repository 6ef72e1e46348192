"""Waiting for what another thread brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 10.0
"""Seconds, which are used up only where something is wrong."""


def eventually(true: Callable[[], object]) -> None:
    """Wait until something is true that another thread brings about."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.002)
