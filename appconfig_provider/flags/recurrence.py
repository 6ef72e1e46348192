"""Time windows that recur: on which days, how often, until when.

Both patterns are one: a cycle of so many days, and days of the cycle on which an occurrence begins,
at the time of day of the first one. The days are those of the zone that `Start` is written in, and
have 24 hours. Occurrences are numbered from 1, the one that begins at `Start`. Times are seconds
since 1970.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from appconfig_provider.flags.dates import read_date, seconds
from appconfig_provider.flags.evaluation import InvalidFlag

DAY = 86_400
WEEK = 7
MAX_WINDOW = 3_650 * DAY
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Recurrence(NamedTuple):
    """A window that recurs."""

    base: float
    """When the first cycle begins; with a weekly pattern up to six days before `Start`."""
    period: float
    """The length of a cycle."""
    offsets: tuple[float, ...]
    """When occurrences begin after the beginning of a cycle, in order."""
    first: int
    """Which of the offsets is that of `Start`."""
    duration: float
    last_begin: float
    last_number: int | float

    def span(self, now: float) -> tuple[float, float, bool]:
        """Return from when until when the answer of `now` holds, and the answer."""
        base, period, offsets, first, duration, last_begin, last_number = self
        count = len(offsets)
        # The last occurrence that begins at `now` or before; before `Start` its number is below 1.
        cycle = (now - base) // period
        place = bisect_right(offsets, now - base - cycle * period) - 1
        number = cycle * count + place - first + 1
        if place >= 0 and 1 <= number <= last_number:
            begin = base + cycle * period + offsets[place]
            if now < begin + duration and begin <= last_begin:
                return begin, begin + duration, True
        # The one after it; a place of -1 is the last one of the cycle before.
        if number < 0:
            number, cycle, place = 0, 0, first - 1
        following = place + 1
        begin = base + (cycle + following // count) * period + offsets[following % count]
        happens = number < last_number and begin <= last_begin
        return now, begin if happens else math.inf, False

    def closest_start(self, now: float) -> float | None:
        """Return when the occurrence at `now` begins, or else the next one; None after the last."""
        begin, finish, inside = self.span(now)
        start = begin if inside else finish
        return None if math.isinf(start) else start


def read_recurrence(given: Any, start: datetime, end: datetime) -> Recurrence:
    """Read the `Recurrence` of a window.

    Raises:
        InvalidFlag: it cannot be used; the message names the parameter.
    """
    recurrence = _object(given, "Recurrence")
    pattern = _object(recurrence.get("Pattern"), "Recurrence.Pattern")
    span = _object(recurrence.get("Range"), "Recurrence.Range")
    duration = seconds(end) - seconds(start)
    if duration <= 0:
        raise InvalidFlag("Out of range: End must be after Start")
    if duration > MAX_WINDOW:
        raise InvalidFlag("Time window duration exceeds ten years: End")
    last_begin, last_number = _range(span, start)
    interval = _count(pattern.get("Interval"), "Recurrence.Pattern.Interval", 1)
    kind = _one_of(pattern.get("Type"), ("daily", "weekly"), "Recurrence.Pattern.Type", "daily")
    if kind == "daily":
        days, first, length = _day(interval)
    else:
        days, first, length = _week(pattern, start, interval)
    gap = _gap(days, length)
    if duration > gap * DAY:
        raise InvalidFlag(
            "Time window duration is out of range: it must end before the next begins"
        )
    return Recurrence(
        base=seconds(start) - days[first] * DAY,
        period=float(length * DAY),
        offsets=tuple(float(day * DAY) for day in days),
        first=first,
        duration=duration,
        last_begin=last_begin,
        last_number=last_number,
    )


def _gap(days: tuple[int, ...], length: int) -> int:
    """Return the days between two occurrences, where they are fewest."""
    following = (*days[1:], days[0] + length)
    return min(after - day for day, after in zip(days, following, strict=True))


def _day(interval: int) -> tuple[tuple[int, ...], int, int]:
    return (0,), 0, interval


def _week(
    pattern: Mapping[str, Any], start: datetime, interval: int
) -> tuple[tuple[int, ...], int, int]:
    """Return the days of the cycle, which of them is that of `Start`, and the cycle's length."""
    name = "Recurrence.Pattern.DaysOfWeek"
    given = pattern.get("DaysOfWeek")
    if not given or not isinstance(given, list | tuple):
        raise InvalidFlag(f"Required parameter: {name}")
    first_day = DAYS.index(
        _one_of(pattern.get("FirstDayOfWeek"), DAYS, "Recurrence.Pattern.FirstDayOfWeek", "sunday")
    )
    named = {DAYS.index(_one_of(day, DAYS, name)) for day in given}
    if start.weekday() not in named:
        raise InvalidFlag(f"Start day does not match any day of the week: {start:%A}")
    days = tuple(sorted((day - first_day) % WEEK for day in named))
    return days, days.index((start.weekday() - first_day) % WEEK), interval * WEEK


def _range(span: Mapping[str, Any], start: datetime) -> tuple[float, float]:
    """Return until when, and up to which number, occurrences begin."""
    kinds = ("noend", "enddate", "numbered")
    kind = _one_of(span.get("Type"), kinds, "Recurrence.Range.Type", "noend")
    if kind == "enddate" and span.get("EndDate"):
        last = read_date(span["EndDate"], "Recurrence.Range.EndDate")
        if last < start:
            raise InvalidFlag("Out of range: Recurrence.Range.EndDate should be after the Start")
        return seconds(last), math.inf
    if kind == "numbered":
        number = _count(span.get("NumberOfOccurrences"), "Recurrence.Range.NumberOfOccurrences", 0)
        return math.inf, number or math.inf
    return math.inf, math.inf


def _object(given: object, name: str) -> Mapping[str, Any]:
    if given is None:
        raise InvalidFlag(f"Required parameter: {name}")
    if not isinstance(given, Mapping):
        raise InvalidFlag(f"{name} must be a JSON object")
    return given


def _one_of(given: object, known: tuple[str, ...], name: str, default: str = "") -> str:
    """Return a word in lower case; the default for null."""
    if given is None and default:
        return default
    word = given.lower() if isinstance(given, str) else ""
    if word not in known:
        raise InvalidFlag(f"Invalid value for {name}")
    return word


def _count(given: object, name: str, default: int) -> int:
    """Return a whole number, at least 1; the default for null."""
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float) or given != given // 1:
        raise InvalidFlag(f"{name} must be a whole number")
    if given < 1:
        raise InvalidFlag(f"Out of range: {name} must be at least 1")
    return int(given)
