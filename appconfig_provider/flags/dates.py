"""The dates of a time window: RFC 2822, as the portal writes them, or ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from appconfig_provider.flags.evaluation import InvalidFlag

_ISO = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:[.,](\d+))?(.*)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def read_date(text: object, name: str) -> datetime:
    """Return a date with its zone; without one it is UTC.

    Raises:
        InvalidFlag: it cannot be read; the message names the parameter.
    """
    if not isinstance(text, str):
        raise InvalidFlag(f"{name} is not a date: it must be text")
    iso = _ISO.fullmatch(text.strip())
    try:
        date = (
            datetime.fromisoformat(_as_python_has_it(iso)) if iso else parsedate_to_datetime(text)
        )
    except (ValueError, TypeError, OverflowError):  # their texts repeat the date
        raise InvalidFlag(f"{name} is not a date of RFC 2822 or ISO 8601") from None
    return date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)


def _as_python_has_it(iso: re.Match[str]) -> str:
    """Return an ISO date as Python 3.10 reads it: six digits of a fraction, no `Z`."""
    instant, fraction, zone = iso[1], iso[2], iso[3]
    microseconds = f".{fraction[:6]:0<6}" if fraction else ""
    return instant + microseconds + ("+00:00" if zone in {"Z", "z"} else zone)


def seconds(date: datetime) -> float:
    """Return a date as seconds since 1970."""
    return (date - _EPOCH).total_seconds()
