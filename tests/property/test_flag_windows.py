"""Recurring windows beside a list of all their occurrences."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider.flags.recurrence import DAYS, read_recurrence

BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)


class Window(NamedTuple):
    """A window that recurs; times are hours."""

    start: datetime
    weekly: bool
    interval: int
    days: set[int]
    first_day: int
    last: int | None
    until: int | None
    hours: int

    @property
    def recurrence(self) -> dict[str, Any]:
        """The parameter as a flag has it."""
        pattern = {
            "Type": "Weekly" if self.weekly else "Daily",
            "Interval": self.interval,
            "DaysOfWeek": [DAYS[day] for day in {*self.days, self.start.weekday()}],
            "FirstDayOfWeek": DAYS[self.first_day],
        }
        span: dict[str, Any] = {}
        if self.last is not None:
            span = {"Type": "Numbered", "NumberOfOccurrences": self.last}
        elif self.until is not None:
            end = self.start + timedelta(days=self.until)
            span = {"Type": "EndDate", "EndDate": end.isoformat()}
        return {"Pattern": pattern, "Range": span}

    def occurrences(self) -> list[float]:
        """Return when occurrences begin, day by day, for two hundred days."""
        days = {*self.days, self.start.weekday()} if self.weekly else set(range(7))
        week = self.start - timedelta(days=(self.start.weekday() - self.first_day) % 7)
        found = []
        for number in range(200):
            day = self.start + timedelta(days=number)
            weeks = (day - week).days // 7
            turn = weeks if self.weekly else number
            if day.weekday() in days and turn % self.interval == 0:
                found.append(day)
        if self.last is not None:
            found = found[: self.last]
        elif self.until is not None:
            found = [day for day in found if day <= self.start + timedelta(days=self.until)]
        return [day.timestamp() for day in found]


WINDOWS = st.builds(
    Window,
    start=st.integers(0, 24 * 20).map(lambda hours: BEGIN + timedelta(hours=hours)),
    weekly=st.booleans(),
    interval=st.integers(1, 3),
    days=st.sets(st.integers(0, 6), max_size=3),
    first_day=st.integers(0, 6),
    last=st.none() | st.integers(1, 8),
    until=st.none() | st.integers(0, 40),
    hours=st.integers(1, 24),
)


@settings(max_examples=1_000)
@given(WINDOWS, st.integers(-24 * 9, 24 * 60))
def test_the_answer_holds_until_the_next_occurrence_begins_or_ends(
    window: Window, hours: int
) -> None:
    """Inside until the end of the occurrence, outside until the next one, or for ever."""
    duration = timedelta(hours=window.hours)
    recurrence = read_recurrence(window.recurrence, window.start, window.start + duration)
    now = (window.start + timedelta(hours=hours)).timestamp()
    seconds = duration.total_seconds()
    inside = [one for one in window.occurrences() if one <= now < one + seconds]
    coming = [one for one in window.occurrences() if one > now]
    begin, finish, answer = recurrence.span(now)
    assert begin <= now < finish
    assert answer is bool(inside)
    assert finish == (inside[-1] + seconds if inside else coming[0] if coming else math.inf)
