"""A machine that sleeps: what was loaded has grown older, and is asked about soon after waking."""

from __future__ import annotations

import ctypes
import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from appconfig_provider import Polling
from appconfig_provider._io.clock import SystemClock
from appconfig_provider._live.polling import rounds
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader

NIGHT = 8 * 3600.0


class Stepping(FakeClock):
    """A clock whose time of day is set by hand, as an administrator or NTP does."""

    step = 0.0

    def time(self) -> float:
        """Seconds since 1970, and what the clock was set wrong by."""
        return super().time() + self.step


class Counting(FakeClock):
    """Counts how often each of its times is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        self.reads["monotonic"] += 1
        return super().monotonic()

    def time(self) -> float:
        """Seconds since 1970."""
        self.reads["time"] += 1
        return super().time()

    def boottime(self) -> float:
        """Seconds since this clock was made, with those of a suspend."""
        self.reads["boottime"] += 1
        return super().boottime()


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a sentinel."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"k": "1", "sentinel": "1"})
        yield emulator


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {"connection_string": store.connection_string, "refresh_on": ["sentinel"], **more}


def test_a_night_of_sleep_counts_as_age(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """After eight hours of suspend the configuration is eight hours old and not healthy."""
    with load(**keywords(store)) as config:
        clock.advance(10)
        clock.suspend(NIGHT)
        assert config.status.age == NIGHT + 10
        assert not config.status.healthy(max_age=300)
        last = config.status.last_success
        assert last is not None
        assert clock.time() - last.timestamp() == pytest.approx(NIGHT + 10)
        clock.advance(20)
        config.refresh()
        assert config.status.age == 0
        assert config.status.healthy(max_age=300)


def test_a_check_comes_within_one_interval_of_waking_time(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """However long the machine slept, what moved meanwhile is served an interval later at most."""
    with load(**keywords(store)) as config:
        clock.advance(12)
        clock.suspend(NIGHT)
        store.set("k", "2")
        store.set("sentinel", "2")
        store.clear_requests()
        clock.advance(17.9)
        assert config.refresh() is False
        assert store.requests == []
        clock.advance(0.1)
        assert config.refresh() is True
        assert config.snapshot["k"] == "2"


def test_a_poller_checks_within_one_interval_of_waking_time(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A poller that slept with the machine goes on where it was: nobody has to wake it."""
    with load(**keywords(store, polling=Polling.auto())) as config:
        clock.advance(12)
        clock.suspend(NIGHT)
        due = next(rounds(lambda: config.provider, clock))
        assert due is not None
        assert clock.monotonic() < due <= 30 * 1.1


@pytest.mark.parametrize("step", [-NIGHT, NIGHT])
def test_a_step_of_the_wall_clock_changes_nothing(load: Loader, step: float) -> None:
    """A time of day that is set hours back or ahead moves neither the age nor the next check."""
    clock = Stepping()
    with clock, Emulator(clock=FakeClock()) as store:
        store.set("sentinel", "1")
        with load(**keywords(store)) as config:
            clock.advance(10)
            clock.step = step
            assert config.status.age == 10
            assert config.status.healthy(max_age=10)
            store.clear_requests()
            clock.advance(19)
            config.refresh()
            assert store.requests == []
            clock.advance(1)
            config.refresh()
            assert len(store.requests) == 1


def test_a_refresh_with_nothing_due_reads_one_clock_once(load: Loader, store: Emulator) -> None:
    """The path that requests take all the time compares one number with one clock."""
    clock = Counting()
    with clock, load(**keywords(store)) as config:
        clock.reads.clear()
        config.refresh()
        assert clock.reads == {"monotonic": 1}


def test_the_clock_of_the_machine_counts_from_its_start() -> None:
    """The system's clock never goes back and goes on at the same pace as the monotonic one."""
    clock = SystemClock()
    boot, monotonic = clock.boottime(), clock.monotonic()
    time.sleep(0.05)
    passed = clock.boottime() - boot
    assert passed >= 0.05
    assert passed == pytest.approx(clock.monotonic() - monotonic, abs=0.05)
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert clock.boottime() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)


def test_each_platform_has_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux has CLOCK_BOOTTIME, macOS CLOCK_MONOTONIC, Windows GetTickCount64, others monotonic."""
    from appconfig_provider._io.clock import boottime_of

    asked: list[int] = []

    def clock_gettime(clock: int) -> float:
        asked.append(clock)
        return 7.0

    monkeypatch.setattr(time, "clock_gettime", clock_gettime, raising=False)
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 701, raising=False)
    monkeypatch.setattr(time, "CLOCK_MONOTONIC", 702, raising=False)
    assert boottime_of("linux")() == 7.0
    assert asked == [701, 701]
    asked.clear()
    assert boottime_of("darwin")() == 7.0
    assert asked == [702, 702]
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert boottime_of("freebsd13") is time.monotonic

    class Ticks:
        restype: object = None

        def __call__(self) -> int:
            return 5_000_000_000_250

    windows = SimpleNamespace(kernel32=SimpleNamespace(GetTickCount64=Ticks()))
    monkeypatch.setattr(ctypes, "windll", windows, raising=False)
    assert boottime_of("win32")() == 5_000_000_000.25


def test_a_clock_that_the_kernel_refuses_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sandbox knows no CLOCK_BOOTTIME the monotonic clock has to do."""
    from appconfig_provider._io.clock import boottime_of

    def refusing(_clock: int) -> float:
        raise OSError("EINVAL")

    monkeypatch.setattr(time, "clock_gettime", refusing)
    assert boottime_of("linux") is time.monotonic


def test_a_fake_clock_does_not_sleep_backwards() -> None:
    """`FakeClock.suspend` moves the day and `boottime`, never back, and wakes nobody."""
    clock = FakeClock(1000.0)
    clock.suspend(5)
    clock.advance(2)
    assert (clock.monotonic(), clock.boottime(), clock.time()) == (2, 7, 1007)
    with pytest.raises(ValueError, match="does not go back"):
        clock.suspend(-1)
