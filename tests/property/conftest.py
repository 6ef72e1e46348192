"""Examples may be slow on a busy machine, and leave nothing behind in the project."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "appconfig", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("appconfig")
