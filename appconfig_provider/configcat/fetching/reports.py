"""What a source has to report: texts with ConfigCat's event ids, and the public errors of failures.

No text here holds an SDK key, a password or a part of a config.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from appconfig_provider.texts import printable
from appconfig_provider.trouble import MAX_MESSAGE, EngineError

NOT_FOUND = 1100
REFUSED = 1101
TIMED_OUT = 1102
FAILED = 1103
REDIRECTED_IN_CIRCLES = 1104
FILE_MISSING = 1300
FILE_UNREADABLE = 1302
FILE_BROKEN = 2302
CACHE_UNREADABLE = 2200
CACHE_UNWRITABLE = 2201
GOVERNANCE_OUT_OF_SYNC = 3002
OFFLINE = 3200

_WARNINGS = frozenset({GOVERNANCE_OUT_OF_SYNC, OFFLINE})


@dataclass(frozen=True, slots=True)
class Report:
    """Something to log once, with its event id; errors also go to `on_error`."""

    event_id: int
    text: str
    """Without the event id."""

    @property
    def level(self) -> int:
        """The level of its log record."""
        return logging.WARNING if self.event_id in _WARNINGS else logging.ERROR


def report(event_id: int, text: str) -> Report:
    """Return a report whose text is safe to log."""
    return Report(event_id, printable(text, MAX_MESSAGE))


def went_offline() -> Report:
    """Return the report of a refresh that found the client offline."""
    return Report(OFFLINE, "the client is offline, so no request was sent")


def out_of_sync(base: str) -> Report:
    """Return the warning that a program begins at a server that is not meant for its config."""
    return report(
        GOVERNANCE_OUT_OF_SYNC,
        f"data_governance does not fit what is set in the dashboard of ConfigCat: {base} was asked "
        "instead; pass the setting of the dashboard, to save requests",
    )


def in_circles(requests: int) -> Report:
    """Return the error that servers send the client from one to the other."""
    return report(
        REDIRECTED_IN_CIRCLES,
        f"{requests} servers sent the client to another one; the last answer is used",
    )


class NotRefreshed(EngineError):
    """The config could not be confirmed; the message is that of the report."""

    def __init__(self, reported: Report) -> None:
        super().__init__(reported.text)
        self.event_id = reported.event_id

    def as_public(self) -> Exception:
        """Return a builtin error with the same message."""
        if self.event_id == TIMED_OUT:
            return TimeoutError(str(self))
        return ConnectionError(str(self))
