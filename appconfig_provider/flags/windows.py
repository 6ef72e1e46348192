"""`Microsoft.TimeWindow`: a flag is on between two dates, once or again and again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from appconfig_provider.flags.dates import read_date, seconds
from appconfig_provider.flags.evaluation import (
    MATCHED,
    NOT_MATCHED,
    Decision,
    Evaluator,
    InvalidFlag,
    Trace,
)
from appconfig_provider.flags.recurrence import read_recurrence

Span = tuple[float, float, bool]
"""From when until when (seconds since 1970) an answer holds, and the answer."""


def read_window(parameters: Mapping[str, Any]) -> Callable[[float], Span] | None:
    """Read the parameters of the filter; return what tells the answer of a time.

    None is a window that has neither begin nor end, which never matches.

    Raises:
        InvalidFlag: a parameter cannot be used; the message names it.
    """
    given = parameters.get("Start"), parameters.get("End"), parameters.get("Recurrence")
    start = read_date(given[0], "Start") if given[0] else None
    end = read_date(given[1], "End") if given[1] else None
    if given[2] is not None:
        if start is None or end is None:
            raise InvalidFlag(f"Required parameter: {'Start' if start is None else 'End'}")
        return read_recurrence(given[2], start, end).span
    if start is None and end is None:
        return None
    begin = -math.inf if start is None else seconds(start)
    finish = math.inf if end is None else seconds(end)
    return _single(begin, finish)


def _single(begin: float, finish: float) -> Callable[[float], Span]:
    def span(now: float) -> Span:
        if now < begin:
            return -math.inf, begin, False
        return (begin, finish, True) if now < finish else (max(begin, finish), math.inf, False)

    return span


def time_window(span: Callable[[float], Span], clock: Callable[[], float]) -> Evaluator:
    """Return the evaluator of the filter: whether it is time, by a clock of seconds since 1970.

    It keeps the last answer with the times between which it holds.
    """
    kept: Span = (math.inf, -math.inf, False)

    def evaluate(_context: Any, trace: Trace) -> Decision:
        nonlocal kept
        now = clock()
        begin, finish, inside = kept
        if not begin <= now < finish:
            # One assignment of a whole answer, so that other threads never see parts of two.
            begin, finish, inside = kept = span(now)
        if trace is not None:
            trace.append("it is inside the window" if inside else "it is outside of the window")
        return MATCHED if inside else NOT_MATCHED

    return evaluate
