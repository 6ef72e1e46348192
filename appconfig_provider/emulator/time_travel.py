"""Time travel: which instant a request asks about, and how its answer says so.

The service dates by whole seconds. A date therefore stands for its whole second, and shows what
the last write in that second left: ``last_modified`` of a revision, sent back, shows that revision.
Inside, instants have microseconds.

``Accept-Datetime`` comes as every client writes dates. A date that cannot be read is no date, and
one in the future asks for what is now. Any other is told back as ``Memento-Datetime``, with a link
to the present. That link is left out where a client would take it for the next page: there is one
that follows the first link of a HEAD or a 304, and one that follows it from the last page too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

from appconfig_provider.emulator.database import instant_from, microseconds_of
from appconfig_provider.emulator.paging import decode_instant
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.wire import Answer, Call

_SECOND = 1_000_000
_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?:\.(?P<fraction>[0-9]{1,9}))?)? ?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2}(?::[0-9]{2})?)?",
    re.IGNORECASE,
)


def parse_instant(text: str) -> int | None:
    """Microseconds since 1970 of a date as clients send it, or None when it is none.

    ISO 8601 with ``T`` or a blank, or RFC 1123. Without an offset it is UTC; what is finer than a
    microsecond is cut off.
    """
    try:
        instant = _iso_date(text.strip()) or parsedate_to_datetime(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=timezone.utc)
        instant = instant.astimezone(timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return microseconds_of(instant)


def requested_instant(store: Store, call: Call) -> int | None:
    """The instant a request asks about, in microseconds since 1970; None is now.

    It is the end of a second, or the present in a second that is not over. A page after the first
    is of the instant of the first one, unless the request names another second.
    """
    asked = parse_instant(call.headers.get("accept-datetime", ""))
    began = None if call.key else decode_instant(call.query.first("after"))
    if asked is None:
        asked = began
    if asked is None or asked > store.present:
        return None
    second = asked // _SECOND
    if began is not None and began // _SECOND == second:
        return began
    return min((second + 1) * _SECOND - 1, store.present)


def with_instant(call: Call, instant: int | None, answer: Answer) -> Answer:
    """The same answer, telling the instant it is about; other errors than 404 tell none."""
    if instant is None or (answer.status >= 300 and answer.status != 404):
        return answer
    headers = dict(answer.headers)
    headers["Memento-Datetime"] = format_datetime(instant_from(instant), usegmt=True)
    is_listing = not call.key
    if call.method != "HEAD" and ("Link" in headers or not is_listing):
        links = (headers.get("Link"), f'<{_quoted(call.target)}>; rel="original"')
        headers["Link"] = ", ".join(link for link in links if link)
    return replace(answer, headers=tuple(headers.items()))


def _quoted(target: str) -> str:
    """A request target that can stand between angle brackets."""
    return target.replace("<", "%3C").replace(">", "%3E")


def _iso_date(text: str) -> datetime | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    time, fraction = match["time"] or "00:00", (match["fraction"] or "").ljust(6, "0")[:6]
    offset = (match["offset"] or "Z").upper().replace("Z", "+00:00")
    if ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    instant = datetime.fromisoformat(f"{match['date']}T{time}{offset}")
    return instant + timedelta(microseconds=int(fraction))
