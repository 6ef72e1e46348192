"""Tells from which seeds the schedules were made, also when none fails."""

from __future__ import annotations

import logging

import pytest

from tests.simulation import schedules


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody keep the log lines of a hundred thousand refreshes."""
    monkeypatch.setattr(logging.getLogger("appconfig_provider"), "disabled", True)


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """Leave the schedules out of the measurement of coverage."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the base of the seeds that were new in this run."""
    half = schedules.SCHEDULES // 2
    told = f"{half} old seeds and {half} new ones from SIMULATION_BASE={schedules.BASE} on"
    terminalreporter.write_line(f"simulation: {schedules.SEED or told}")
