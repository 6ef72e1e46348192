"""Which API versions are served, and what each of them knows.

Versions are compared as texts: ``1.0`` sorts before every date, and a preview after its date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

SNAPSHOTS: Final = "2022-11-01-preview"
PAGE_ETAGS: Final = "2023-10-01"
TAG_FILTERS: Final = "2023-11-01"
ITEM_TAG_FILTERS: Final = "2024-09-01"
DESCRIPTIONS: Final = "2026-04-01"
LATEST: Final = DESCRIPTIONS
_EARLIER = frozenset(
    {
        "1.0",
        SNAPSHOTS,
        PAGE_ETAGS,
        TAG_FILTERS,
        ITEM_TAG_FILTERS,
        "2024-09-01-preview",
        "2025-07-01-preview",
    }
)
_DATED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(-preview)?")


class VersionError(ValueError):
    """An API version that is not served; ``title`` says why in the service's words."""

    def __init__(self, title: str, given: str) -> None:
        super().__init__(f"{title}: {given}")
        self.title = title
        self.given = given


def negotiate(given: Sequence[str], since: str = "") -> str:
    """The version to serve a request with; the latest when none is named.

    A date later than the latest version is served like the latest. ``since`` is the version that
    began to know what is asked for.

    Raises:
        VersionError: several different versions, one that is not served, or no version at all.
    """
    named = {text.strip().lower() for text in given if text.strip()}
    if not named:
        return LATEST
    if len(named) > 1:
        raise VersionError("Ambiguous API version", ", ".join(sorted(named)))
    version = named.pop()
    known = version in _EARLIER or _is_dated(version)
    if (version in _EARLIER or (known and version >= LATEST)) and version >= since:
        return version
    title = "Unsupported API version" if known else "Invalid API version"
    raise VersionError(title, version)


def _is_dated(version: str) -> bool:
    match = _DATED.fullmatch(version)
    if match is None:
        return False
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return False
    return True
