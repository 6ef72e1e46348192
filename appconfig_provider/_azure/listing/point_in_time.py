"""Choosing the one second that all pages of a load show (`consistency="point_in_time"`).

The store remembers the past by the second, and stores differ in how they read a date: as the state
before that second, or with what was written in it. So the second that is asked for must be over, or
the state at its end still moves; and it must be later than that of the newest sentinel, or what a
deployment wrote before its sentinel may be missing. Then both readings show what never changes
again. The store is asked for its time, and waited for where a sentinel was written just now: two
seconds at most, of the time that the load has.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime

from appconfig_provider._azure.rest.requests import clock_target
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._fetch.exchange import READ, Session, exchange
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Headers, Request, Response, Sleep, Steps, perform, plan

LIVE: Headers = ()
"""No point in time: pages show the store as it is when they are read."""

MAX_AHEAD = 1
"""Seconds by which a sentinel may be dated later than the store's clock: it has several."""


@plan
def choose_point_in_time(session: Session, sentinels: tuple[Sentinel, ...]) -> Steps[Headers]:
    """Return the headers that make a listing show the store at one point in time.

    Raises:
        RequestFailed: the store did not tell its time, a sentinel is dated in its future, or the
            time of the load is too short to wait.
    """
    response = yield from exchange(session, Request("HEAD", session.origin, clock_target()), READ)
    now = _time_of(session, response)
    written = [math.floor(one.modified.timestamp()) for one in sentinels if one.modified]
    newest = max(written, default=now - 2)
    if newest > now + MAX_AHEAD:
        problem = f"a sentinel was modified {newest - now} s in the future by the store's own clock"
        raise RequestFailed(Kind.MALFORMED, session.origin, problem)
    second = max(now - 1, newest + 1)
    # It is over when the next one has begun.
    yield from _wait(session, second + 1 - now)
    instant = datetime.fromtimestamp(second, timezone.utc)
    return (("accept-datetime", format_datetime(instant, usegmt=True)),)


@plan
def _wait(session: Session, seconds: int) -> Steps[None]:
    if seconds > session.deadline - session.clock.monotonic():
        problem = f"a sentinel was modified just now, and {seconds} s would have to pass"
        raise RequestFailed(Kind.OUT_OF_TIME, session.origin, problem)
    if seconds:
        yield from perform(Sleep(seconds))


def _time_of(session: Session, response: Response) -> int:
    """Return the whole seconds since 1970 by the store's clock."""
    try:
        return int(parsedate_to_datetime(response.headers.get("date", "")).timestamp())
    except (ValueError, TypeError, OverflowError) as error:
        problem = "the answer has no date; point_in_time cannot be had through this endpoint"
        raise RequestFailed(Kind.MALFORMED, session.origin, problem) from error
