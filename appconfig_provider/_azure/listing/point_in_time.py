"""Choosing the one second that all pages of a load show (`consistency="point_in_time"`).

The store keeps its history by the second. Stores differ in what a date means: the state before that
second began, or after it ended. The second is chosen so that both are the same for a deployment:

- It must be over. Otherwise something may still be written in it.
- It must be later than the second of the newest sentinel. Otherwise the settings that a deployment
  wrote in the same second, before its sentinel, may be missing.

The store's own clock counts. If a sentinel was written just now, the load waits: two seconds at
most, which are part of its time.
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
"""Seconds by which a sentinel may be dated later than the store's clock: a store has several
machines, and their clocks differ."""


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
    # The second is over when the next one has begun.
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
