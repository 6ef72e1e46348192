"""Settings of the program's own: from a dict, or from a file that is watched.

A file that cannot be used leaves its last good content in force, and is reported once for each
change.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from appconfig_provider._plan import FileIdentity, Invoke, Steps, perform, plan
from appconfig_provider.configcat.evaluation.document import read_overrides
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, Settings
from appconfig_provider.configcat.fetching import reports
from appconfig_provider.configcat.fetching.reports import Report, report
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from appconfig_provider.texts import printable, quoted
from appconfig_provider.trouble import describe, name_of

if TYPE_CHECKING:
    from appconfig_provider.overrides.reading import Content

CHECK_INTERVAL = 1.0
"""Seconds between two checks whether a file has changed."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Where local settings come from: one of the three."""

    behaviour: OverrideBehaviour
    settings: Settings | None = field(default=None, repr=False)
    """Those of a dict."""
    path: str = ""
    """The file that has them, as an absolute path."""
    function: Callable[[], object] | None = field(default=None, repr=False)
    """A function of the program that returns a config, as decoded JSON, or None."""

    @property
    def may_change(self) -> bool:
        """True where they are to be read again."""
        return self.settings is None


@dataclass(frozen=True, slots=True)
class Local:
    """The local settings as they were read last."""

    settings: Settings = field(default_factory=lambda: NO_SETTINGS, repr=False)
    usable: bool = False
    """True once there were any."""
    identity: FileIdentity | None = None
    digest: int | None = field(default=None, repr=False)
    """A hash of the file's content."""
    trouble: Report | None = None
    """Why the newest content of the file cannot be used; None when it can."""


NO_LOCAL = Local()


@plan
def read_local(given: LocalSettings, before: Local) -> Steps[tuple[Local, tuple[Report, ...]]]:
    """Read the local settings, a file only if it has changed."""
    if given.settings is not None:
        return (before if before.usable else Local(given.settings, usable=True)), ()
    from appconfig_provider.overrides.reading import read_if_changed

    try:
        if given.function is None:
            content = yield from read_if_changed(given.path, before.identity, before.digest)
        else:
            content = yield from _returned(given.function, before.digest)
    except Exception as error:
        trouble = _unread(given, error)
        told = () if trouble == before.trouble else (trouble,)
        return replace(before, identity=None, digest=None, trouble=trouble), told
    identity, digest = content.identity, content.digest
    if content.data is None:
        return replace(before, identity=identity), ()
    try:
        settings = read_overrides(content.data).settings
    except ValueError as error:
        text = f"{_what(given)} is broken: {printable(error)}"
        trouble = report(reports.FILE_BROKEN, text)
        return replace(before, identity=identity, digest=digest, trouble=trouble), (trouble,)
    return Local(settings, usable=True, identity=identity, digest=digest), ()


@plan
def _returned(function: Callable[[], object], digest: int | None) -> Steps[Content]:
    """Return what a function of the program returns, as if it were the content of a file."""
    config = yield from perform(Invoke(function, blocking=True))
    from appconfig_provider.overrides.reading import Content

    data = json.dumps({} if config is None else config).encode()
    found = hash(data)
    return Content(None if found == digest else data, None, found)


def _what(given: LocalSettings) -> str:
    if given.function is not None:
        return f"what {name_of(given.function)} returned"
    return f"the local config file {quoted(given.path)}"


def _unread(given: LocalSettings, error: Exception) -> Report:
    from appconfig_provider.overrides.reading import why_unread

    if given.function is not None:
        text = f"{name_of(given.function)} gave no local settings: {describe(error)}"
        return report(reports.FILE_UNREADABLE, text)
    if isinstance(error, FileNotFoundError):
        return report(reports.FILE_MISSING, f"{_what(given)} does not exist")
    return report(reports.FILE_UNREADABLE, f"{_what(given)} cannot be read: {why_unread(error)}")
