"""Which second a pinned load asks for, so that its pages agree however the store reads a date.

The service dates by whole seconds, and by recordings of it `Accept-Datetime` includes its own
second; its emulator shows only what is older. A second that is over, and later than the sentinel's,
shows the same in both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import FakeClock
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

pytestmark = pytest.mark.unmeasured

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc).timestamp()
KEYS = ("a", "b", "c")


class Past:
    """A store that remembers its past, in virtual time; each version is written in one instant.

    `inclusive` is how it reads a date: with what was written in that second, or only what is older.
    """

    def __init__(
        self,
        *,
        inclusive: bool,
        begin: float,
        latency: float,
        writes: Iterable[float],
        startup_timeout: float = 100.0,
        watch: tuple[str, ...] = ("sentinel",),
    ) -> None:
        self.inclusive = inclusive
        self.latency = latency
        self.writes = sorted(writes)
        self.sentinels = self.writes
        """When the sentinel was written, too; at every write, unless a test says otherwise."""
        self.clock = FakeClock(NOON + begin)
        self.driver = ScriptedDriver(self.answer, self.clock)
        options = Keywords(
            connection_string=CONNECTION,
            selects=[SettingSelector(key_filter=key) for key in KEYS],
            refresh_on=watch,
            refresh_enabled=True,
            consistency="point_in_time",
            replica_discovery_enabled=False,
            startup_timeout=startup_timeout,
        ).checked()
        self.context = context_for(self.clock, options)

    def start(self) -> State:
        """Load."""
        return self.driver.run(start(self.context))

    def answer(self, request: Request) -> Response:
        """Answer in the middle of the time that a request takes."""
        self.clock.advance(self.latency / 2)
        answer = self._answer(request)
        self.clock.advance(self.latency / 2)
        return answer

    def _answer(self, request: Request) -> Response:
        now = self.clock.time()
        if request.method == "HEAD":
            return status(200, {"date": _dated(now)})
        written = [moment for moment in self.writes if NOON + moment <= now]
        if request.target.startswith("/kv/sentinel"):
            # The service tells whole seconds.
            moved = [moment for moment in written if moment in self.sentinels][-1]
            modified = datetime.fromtimestamp(math.floor(NOON + moved), timezone.utc)
            version = written.index(moved) + 1
            return single(
                setting("sentinel", str(version), f"s{version}", last_modified=modified.isoformat())
            )
        asked = dict(request.headers)["accept-datetime"]
        second = parsedate_to_datetime(asked).timestamp()
        limit = second + 1 if self.inclusive else second
        version = sum(NOON + moment < limit for moment in written)
        key = request.target.partition("key=")[2][:1]
        answer = page([setting(key, str(version))], f"{key}{version}")
        return Response(200, {**answer.headers, "memento-datetime": asked}, answer.body)


def _dated(moment: float) -> str:
    whole = datetime.fromtimestamp(math.floor(moment), timezone.utc)
    return format_datetime(whole, usegmt=True)


def whole(state: State) -> int:
    """Return the version that is served, which must be one."""
    versions = {str(state.snapshot[key]) for key in KEYS}
    assert len(versions) == 1, f"pages of different seconds: {versions}"
    return int(versions.pop())


BEGINS = [step / 8 for step in range(8)]
LATENCIES = (0.01, 0.1, 0.3, 0.7)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "inclusive",
    [False, True],
)
def test_all_pages_show_one_second_under_both_readings(inclusive: bool) -> None:
    """However a date is read, no write tears a load, and what came before its sentinel is seen."""
    for begin in BEGINS:
        for latency in LATENCIES:
            for write in range(40):
                for sentinels in ([-60.0], [-60.0, write / 8]):
                    writes = [-60.0, write / 8]
                    store = Past(inclusive=inclusive, begin=begin, latency=latency, writes=writes)
                    store.sentinels = sentinels
                    state = store.start()
                    kept = int(str(state.sentinels[0].etag)[1:])
                    assert whole(state) >= kept, f"from {begin}, {latency} s each, wrote {write}/8"


@pytest.mark.parametrize(
    "inclusive",
    [False, True],
)
def test_a_store_that_is_written_to_all_the_time_tears_nothing(inclusive: bool) -> None:
    """With a write every 0.35 s each load shows one second, and the newest version comes."""
    for begin in BEGINS:
        writes = [-60.0, *(begin + step * 0.35 for step in range(1, 60))]
        store = Past(inclusive=inclusive, begin=begin, latency=0.1, writes=writes)
        state = store.start()
        assert whole(state) >= int(str(state.sentinels[0].etag)[1:])
        for _ in range(3):
            store.clock.advance(30)
            outcome = store.driver.run(refresh(store.context, state, force=False))
            assert outcome.error is None
            state = outcome.state
            assert whole(state) >= int(str(state.sentinels[0].etag)[1:])
        assert whole(state) == len(writes)


def test_the_wait_is_at_most_two_seconds() -> None:
    """After a sentinel of the running second, the next one is waited for as well: 2 s at most."""
    for begin in BEGINS:
        store = Past(inclusive=True, begin=begin, latency=0.0, writes=[-60.0, begin])
        assert whole(store.start()) == 2
        assert sum(store.driver.slept) == 2
        calm = Past(inclusive=True, begin=begin, latency=0.0, writes=[-60.0])
        assert whole(calm.start()) == 1
        assert calm.driver.slept == []


@pytest.mark.parametrize("inclusive", [False, True])
def test_without_a_sentinel_nothing_is_waited_for(inclusive: bool) -> None:
    """Watching pages, a load shows the second before this one, whatever is written meanwhile."""
    for begin in BEGINS:
        store = Past(
            inclusive=inclusive, begin=begin, latency=0.1, writes=[-60.0, begin + 0.15], watch=()
        )
        assert whole(store.start()) == 1
        assert store.driver.slept == []


def test_the_wait_counts_against_the_budget() -> None:
    """Where less time is left than the wait takes, the attempt ends without it and says why."""
    store = Past(inclusive=True, begin=0.5, latency=0.0, writes=[0.5], startup_timeout=0.9)
    with pytest.raises(NobodyAnswered) as caught:
        store.start()
    (failure,) = caught.value.failures
    assert "2 s" in str(failure)
    assert "startup_timeout=0.9 s was used up" in str(failure)
    assert store.clock.monotonic() <= 0.9


def test_the_wait_may_be_longer_than_that_of_a_retry() -> None:
    """A store whose clocks differ by a second is waited for; its sentinel is no error."""
    store = Past(inclusive=True, begin=0.0, latency=0.0, writes=[-60.0, 0.0])
    ahead = store.driver.answer

    def answer(request: Request) -> Response:
        whole_answer = ahead(request)
        if request.method == "HEAD":
            return status(200, {"date": _dated(store.clock.time() - 1)})
        return whole_answer

    store.driver.answer = answer
    state = store.start()
    assert whole(state) == 2
    assert store.driver.slept == [3]
