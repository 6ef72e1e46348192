"""Settings of the program's own: from a dict, or from a file that is watched."""

from __future__ import annotations

from dataclasses import dataclass, field

from appconfig_provider._plan import FileIdentity
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, Settings
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour

CHECK_INTERVAL = 1.0
"""Seconds between two checks whether a file has changed."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Where local settings come from: one of the two."""

    behaviour: OverrideBehaviour
    settings: Settings | None = field(default=None, repr=False)
    """Those of a dict."""
    path: str = ""
    """The file that has them, as an absolute path."""


@dataclass(frozen=True, slots=True)
class Local:
    """The local settings as they were read last."""

    settings: Settings = field(default=NO_SETTINGS, repr=False)
    usable: bool = False
    """True once there were any."""
    identity: FileIdentity | None = None
    digest: int | None = field(default=None, repr=False)
    trouble: str = ""
    """Why the newest content of the file cannot be used; empty when it can."""


NO_LOCAL = Local()
