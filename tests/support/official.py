"""The timers of the official provider: it has no public way to refresh before its intervals end."""

from __future__ import annotations

from typing import Any


def make_settings_due(official: Any) -> None:
    """Let the next refresh check the sentinels, or all pages."""
    _expire(official._refresh_timer)  # noqa: SLF001 - nothing public leads to it


def make_flags_due(official: Any) -> None:
    """Let the next refresh check the feature flags."""
    _expire(official._feature_flag_refresh_timer)  # noqa: SLF001 - same


def make_secrets_due(official: Any) -> None:
    """Let the next refresh read the secrets again."""
    _expire(official._secret_provider.secret_refresh_timer)  # noqa: SLF001 - same


def _expire(timer: Any) -> None:
    timer._next_refresh_time = 0  # noqa: SLF001 - it compares this with the time of day
