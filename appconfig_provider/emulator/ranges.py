"""Parts of a listing by number: ``Range: items=a-b`` and what an answer tells about it.

Only what can be read as one range from a number on is a range; anything else is as good as no
header, and so is a range on a HEAD, as HTTP has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appconfig_provider.emulator.wire import Answer, Call, Refusal

ACCEPT_RANGES: Final[Mapping[str, str]] = {"Accept-Ranges": "items"}
_RANGE = re.compile(r"\s*items\s*=\s*([0-9]{1,18})-([0-9]{1,18})?\s*", re.IGNORECASE)
_NO_END = 2**62


@dataclass(frozen=True, slots=True)
class Range:
    """Items from a number on, counted from 0; ``size`` is how many at most."""

    first: int
    size: int


def parse_range(call: Call) -> Range | None:
    """The range a request asks for; None when it asks for none, or for what is none."""
    match = _RANGE.fullmatch(call.headers.get("range", ""))
    if match is None or call.method == "HEAD":
        return None
    first = int(match[1])
    last = _NO_END if match[2] is None else int(match[2])
    return Range(first, last - first + 1) if first <= last else None


def unsatisfiable(total: int) -> Refusal:
    """The 416 for a range that begins behind the last of so many items."""
    told = (*ACCEPT_RANGES.items(), ("Content-Range", f"items */{total}"))
    return Refusal(Answer(416, headers=told))
