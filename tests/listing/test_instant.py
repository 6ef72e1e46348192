"""Which second a pinned listing asks for, by the store's date and those of its sentinels."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from appconfig_provider._azure.listing.point_in_time import choose_point_in_time
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import Kind, RequestFailed
from tests.support.scripted import ScriptedDriver, status

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def choose(
    modified: list[float | None], *, date: str | None = None, left: float = 100.0
) -> tuple[float, list[float]]:
    """Return the second that is chosen, from noon on, and the waits."""
    reported = format_datetime(NOON, usegmt=True) if date is None else date
    driver = ScriptedDriver(lambda _: status(200, {"date": reported} if reported else {}))
    session = Session(
        origin="https://one.azconfig.io",
        sign=None,
        service=StoreService(()),
        deadline=driver.clock.monotonic() + left,
        max_retry_wait=0.0,
        retries=0,
        clock=driver.clock,
        random=lambda: 0.0,
    )
    moments = [None if one is None else NOON + timedelta(seconds=one) for one in modified]
    sentinels = tuple(Sentinel("e", moment) for moment in moments)
    ((name, value),) = driver.run(choose_point_in_time(session, sentinels))
    assert name == "accept-datetime"
    (request,) = driver.requests
    assert (request.method, request.target.partition("?")[0]) == ("HEAD", "/keys")
    chosen = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc)
    return (chosen - NOON).total_seconds(), driver.slept


@pytest.mark.parametrize(
    ("modified", "second", "waits"),
    [
        ([], -1, []),
        ([None], -1, []),
        ([-60.0], -1, []),
        ([-2.0], -1, []),
        ([-1.0], 0, [1]),
        ([-0.5], 0, [1]),
        ([0.0], 1, [2]),
        ([0.9, None, -60.0], 1, [2]),
        ([-60.0, 1.0], 2, [3]),
    ],
)
def test_the_second_is_over_and_later_than_that_of_the_newest_sentinel(
    modified: list[float | None], second: float, waits: list[float]
) -> None:
    """It is waited for where it is not over yet."""
    assert choose(modified) == (second, waits)


@pytest.mark.parametrize(
    ("modified", "date", "left", "kind"),
    [
        ([2.0], None, 100.0, Kind.MALFORMED),
        ([0.0], None, 1.9, Kind.OUT_OF_TIME),
        ([], "", 100.0, Kind.MALFORMED),
        ([], "yesterday", 100.0, Kind.MALFORMED),
    ],
)
def test_a_second_that_cannot_be_had_is_trouble_of_the_endpoint(
    modified: list[float | None], date: str | None, left: float, kind: Kind
) -> None:
    """A sentinel of the future, a wait that does not fit, a store that does not tell its time."""
    with pytest.raises(RequestFailed) as caught:
        choose(modified, date=date, left=left)
    assert caught.value.kind is kind
    assert choose([0.0], left=2.0) == (1, [2])
