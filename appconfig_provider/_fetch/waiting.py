"""Reads how long a server asks the client to wait before the next request."""

from __future__ import annotations

import re

from appconfig_provider._plan import Response

_MAX_DATE = 64
"""Characters of a date; a longer text is not parsed."""


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that a server asks us to wait, by any of the three headers in use."""
    headers = response.headers
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None or len(text) > _MAX_DATE:
        return seconds
    from email.utils import parsedate_to_datetime  # dates are rare, and its import takes long

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,32})?", text.strip()):
        return None
    return float(text)
