"""Choosing the one moment that all pages of a load show (`consistency="point_in_time"`).

The service remembers the past by the second. A moment is right when it is over for the store
(a date in the future shows the present, which moves) and later than the sentinels that were just
read: what a deployment wrote before its sentinel must be seen. So the store is asked for its time,
and waited for where a sentinel was written in the second that is still running.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime

from appconfig_provider._plan import Headers, Request, Response, Sleep, Steps, ask, plan
from appconfig_provider._rest.exchange import READ, Session, exchange
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.requests import clock_target
from appconfig_provider._rest.responses import Sentinel

LIVE: Headers = ()
"""No moment: pages show the store as it is when they are read."""


@plan
def choose_moment(session: Session, sentinels: tuple[Sentinel, ...]) -> Steps[Headers]:
    """Return the headers that make a listing show the store at one moment.

    Raises:
        RequestFailed: the store did not tell its time, or a sentinel is dated in its future.
    """
    response = yield from exchange(session, Request("HEAD", session.origin, clock_target()), READ)
    now = _time_of(session, response)
    # A second that a sentinel was written in is over when the next one has begun.
    written = [math.floor(one.modified.timestamp()) for one in sentinels if one.modified]
    least = max(written, default=-1) + 1
    if least > now + session.patience:
        problem = f"a sentinel was modified {least - now} s in the future by the store's own clock"
        raise RequestFailed(Kind.MALFORMED, session.origin, problem)
    if least > now:
        yield from ask(Sleep(least - now))
    moment = datetime.fromtimestamp(max(now, least), timezone.utc)
    return (("accept-datetime", format_datetime(moment, usegmt=True)),)


def _time_of(session: Session, response: Response) -> int:
    """Return the whole seconds since 1970 by the store's clock."""
    try:
        return int(parsedate_to_datetime(response.headers.get("date", "")).timestamp())
    except (ValueError, TypeError, OverflowError) as error:
        problem = "the answer has no date; point_in_time cannot be had through this endpoint"
        raise RequestFailed(Kind.MALFORMED, session.origin, problem) from error
