"""What holds for every schedule."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody keep the log lines of a hundred thousand refreshes."""
    for name in ("appconfig_provider", "configcat"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
