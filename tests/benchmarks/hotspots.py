"""Where a reload spends its time: `python -m tests.benchmarks.hotspots [settings] [seconds]`.

One setting and the sentinel change, and a refresh loads everything anew, under a profiler that sees
every thread. Own time is grouped by whose code it is; waiting for the store is left out. Threads
that wait for their turn cannot be told apart from those that work, and mostly count as transport.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter

from .scenes import Mode
from .server import Store, running_store
from .sides import SENTINEL, Config, driving

ROUNDS = 10
OURS = 1
"""The side of this library."""

_GROUPS = {
    "appconfig_provider": "ours",
    "json": "JSON",
    "httpcore": "transport",
    "h11": "transport",
    "anyio": "transport",
    "asyncio": "transport",
    "ssl": "transport",
    "socket": "transport",
    "selectors": "transport",
}
_WAITING = ("'recv'", "'acquire'", "'poll'", "'get' of '_queue", "'join'", "wait")


@dataclass
class Profile:
    """Seconds of own time by group, and by function of ours."""

    groups: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    functions: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, profiler: cProfile.Profile) -> None:
        """Take what one thread did."""
        stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]  # typeshed hides it
        for (file, line, name), (_, _, own, _, callers) in stats.items():
            if file == "~":
                # What is written in C belongs to whoever called it.
                for caller, (_, _, called, _) in callers.items():
                    self._count(caller[0], name, called, builtin=True)
            else:
                self._count(file, f"{file.rpartition('/')[2]}:{line} {name}", own)

    def _count(self, file: str, name: str, seconds: float, *, builtin: bool = False) -> None:
        if builtin and any(word in name for word in _WAITING):
            return
        group = next(
            (reported for part, reported in _GROUPS.items() if f"/{part}" in file), "other"
        )
        self.groups[group] += seconds
        if group == "ours":
            self.functions[f"{file.rpartition('/')[2]} calls {name}" if builtin else name] += (
                seconds
            )

    def lines(self) -> Iterator[str]:
        """Yield the table, the hottest first."""
        whole = sum(self.groups.values())
        for group, seconds in _hottest(self.groups):
            yield f"{group:12}{1000 * seconds / ROUNDS:8.1f} ms{100 * seconds / whole:5.0f} %"
        for name, seconds in _hottest(self.functions)[:12]:
            yield f"  {1000 * seconds / ROUNDS:8.2f} ms{100 * seconds / whole:5.1f} %  {name}"


def _hottest(times: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=itemgetter(1), reverse=True)


@contextmanager
def profiling(profile: Profile) -> Iterator[None]:
    """Profile this thread and all that it starts in the block."""
    profilers: list[cProfile.Profile] = []

    def begin() -> cProfile.Profile:
        profilers.append(cProfile.Profile())
        profilers[-1].enable()
        return profilers[-1]

    def begin_thread(*_: object) -> None:
        begin()  # replaces this very function as the profiler of the new thread

    threading.setprofile(begin_thread)
    own = begin()
    try:
        yield
    finally:
        own.disable()
        threading.setprofile(None)
        for profiler in profilers:
            profile.add(profiler)


def measure(mode: Mode, store: Store, seconds: float) -> Profile:
    """Reload a few times after a change, with answers that take so long."""
    profile = Profile()
    with driving(mode) as driver:
        store.delay(0)
        config: Config = driver.load(OURS, store.connection, SENTINEL)
        store.delay(seconds)
        for number in range(ROUNDS):
            value = f"{mode.value} {number}"
            store.change({store.keys[-1]: value, "sentinel": value})
            with profiling(profile):
                driver.refresh(OURS, config)
            if config[store.keys[-1]] != value:
                raise RuntimeError("the change was not loaded")
        driver.close(config)
    return profile


def main(settings: str = "10000", seconds: str = "0.02") -> None:
    """Print sync and aio."""
    with running_store(int(settings)) as store:
        for mode in Mode:
            print(f"reload of {settings} settings, {seconds} s away, {mode.value}")
            print(*measure(mode, store, float(seconds)).lines(), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
