"""Time windows and their recurrence: the published vectors, and what they do not cover."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from appconfig_provider.flags.dates import read_date, seconds
from appconfig_provider.flags.evaluation import InvalidFlag
from appconfig_provider.flags.recurrence import Recurrence, read_recurrence
from appconfig_provider.flags.windows import read_window
from appconfig_provider.testing import FakeClock
from tests.support.managers import Manage, flag, holding, window
from tests.support.vectors import vectors

COUNTS = {"match": 37, "closest_start": 23, "validation": 15, "valid": 5, "filter": 58}


def cases(kind: str) -> list[Any]:
    """Return the recurrence vectors of a kind."""
    found: list[Any] = vectors("Recurrence.dotnet.json")[kind]
    assert len(found) == COUNTS[kind]
    return found


def time_of(text: str) -> float:
    """Return an ISO date as seconds since 1970."""
    return seconds(read_date(text, "now"))


def recurrence_of(parameters: Any) -> Recurrence:
    """Return the recurrence of a filter's parameters."""
    start, end = (read_date(parameters[name], name) for name in ("Start", "End"))
    return read_recurrence(parameters["Recurrence"], start, end)


def test_there_are_138_vectors() -> None:
    """No vector is left out."""
    assert sum(COUNTS.values()) == 138
    assert {kind for kind, of in vectors("Recurrence.dotnet.json").items() if len(of)} >= set(
        COUNTS
    )


def test_match_vectors() -> None:
    """A time is inside an occurrence exactly where the vectors say so."""
    for case in cases("match"):
        _, _, inside = recurrence_of(case["parameters"]).span(time_of(case["now"]))
        assert inside is case["expected"], case


def test_closest_start_vectors() -> None:
    """The occurrence at a time, or the next one, begins when the vectors say so."""
    for case in cases("closest_start"):
        expected = None if case["expected"] is None else time_of(case["expected"])
        found = recurrence_of(case["parameters"]).closest_start(time_of(case["now"]))
        assert found == expected, case


def test_filter_vectors(manage: Manage) -> None:
    """The whole filter answers as the vectors say, by the clock of the test."""
    for case in cases("filter"):
        with FakeClock(time_of(case["now"])):
            manager = manage(holding(flag("x", window(**case["parameters"]))))
            assert manager.is_enabled("x") is case["expected"], case


def test_validation_vectors() -> None:
    """What .NET refuses is refused, and the message names the parameter."""
    for case in cases("validation"):
        with pytest.raises(InvalidFlag) as raised:
            read_window(case["parameters"])
        named = case["param"].rpartition(".")[2]
        told = {"Start": "Start", "End": "End|duration"}.get(named, named)
        assert any(word in str(raised.value) for word in told.split("|")), (case, raised.value)


def test_valid_vectors() -> None:
    """A window that may cross into the next occurrence is refused, any other is not."""
    for case in cases("valid"):
        try:
            read_window(case["parameters"])
        except InvalidFlag:
            assert not case["valid"], case
        else:
            assert case["valid"], case


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 27 Jun 2023 06:00:00 GMT",
        "Tue, 27 Jun 2023 06:00:00",
        "Tue, 27 Jun 2023 06:00:00 -0000",
        "Tue, 27 Jun 2023 14:00:00 +0800",
        "2023-06-27T06:00:00Z",
        "2023-06-27T06:00:00",
        "2023-06-27T06:00:00.0000000Z",
        "2023-06-27T06:00Z",
        "2023-06-27 08:00:00.000+02:00",
    ],
)
def test_dates(text: str) -> None:
    """RFC 2822 and ISO 8601 are read; a date without zone is UTC."""
    assert read_date(text, "Start") == datetime.fromisoformat("2023-06-27T06:00:00+00:00")


@pytest.mark.parametrize("given", ["garbage", "2023-13-01", "2023-06-27T06:00:00+99:99", 5, True])
def test_unreadable_dates(given: object) -> None:
    """What is no date is refused; the message names the parameter and not the value."""
    with pytest.raises(InvalidFlag, match=r"^End is not a date") as raised:
        read_date(given, "End")
    assert str(given) not in str(raised.value)


def test_a_window_opens_and_closes_by_the_clock(manage: Manage) -> None:
    """The begin belongs to a window, its end does not; a kept answer is given up in time."""
    with FakeClock(time_of("2024-05-01T00:00:00Z")) as clock:
        daily = {
            "Pattern": {"Type": "Daily"},
            "Range": {"Type": "Numbered", "NumberOfOccurrences": 2},
        }
        once = window(Start="2024-05-01T01:00:00Z", End="2024-05-01T02:00:00Z")
        twice = window(**once["parameters"], Recurrence=daily)
        manager = manage(holding(flag("once", once), flag("twice", twice)))
        seen = []
        for hours in (0, 1, 1, 22, 0.999, 0.002, 24):
            clock.advance(hours * 3600)
            seen.append((manager.is_enabled("once"), manager.is_enabled("twice")))
        assert seen == [
            (False, False),
            (True, True),
            (False, False),
            (False, False),
            (False, False),
            (False, True),
            (False, False),
        ]


def test_a_window_without_begin_and_end_is_closed(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """It never matches, and one warning names the flag."""
    manager = manage(holding(flag("x", window())))
    assert [manager.is_enabled("x") for _ in range(3)] == [False] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "feature flag 'x' has a TimeWindow filter with neither Start nor End"
    ]


@pytest.mark.parametrize(
    ("pattern", "span"),
    [
        ({"Type": "Monthly"}, {}),
        ({"Type": 5}, {}),
        ({"Interval": 1.5}, {}),
        ({"Interval": True}, {}),
        ({"Type": "Weekly", "DaysOfWeek": ["Freitag"]}, {}),
        ({"Type": "Weekly", "DaysOfWeek": "Friday"}, {}),
        ({"Type": "Weekly", "DaysOfWeek": ["Friday"], "FirstDayOfWeek": "x"}, {}),
        ({}, {"Type": "Never"}),
        ({}, {"Type": "Numbered", "NumberOfOccurrences": "3"}),
        ({}, {"Type": "EndDate", "EndDate": "garbage"}),
        ("Daily", {}),
        ({}, "NoEnd"),
    ],
)
def test_an_unreadable_recurrence_is_refused(pattern: object, span: object) -> None:
    """A word or a number that the schema does not know is an error, not a guess."""
    parameters = {
        "Start": "Fri, 01 Sep 2023 00:00:00 GMT",
        "End": "Fri, 01 Sep 2023 01:00:00 GMT",
        "Recurrence": {"Pattern": pattern, "Range": span},
    }
    with pytest.raises(InvalidFlag):
        read_window(parameters)


def test_a_window_longer_than_ten_years_does_not_recur() -> None:
    """The limit of .NET holds."""
    parameters = {
        "Start": "Fri, 01 Sep 2003 00:00:00 GMT",
        "End": "Fri, 01 Sep 2023 01:00:00 GMT",
        "Recurrence": {"Pattern": {"Interval": 10_000}, "Range": {}},
    }
    with pytest.raises(InvalidFlag, match="ten years"):
        read_window(parameters)
