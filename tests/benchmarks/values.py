"""Values as programs want them: what is bound, a tree of keys, and a key that is not there."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Mapping
from typing import Any

from appconfig_provider import AzureAppConfigurationProvider, MissingKey, load
from appconfig_provider._live.inspection import inspect
from appconfig_provider.nesting import nested
from appconfig_provider.testing import Emulator

from .measure import Effort, Figure, net
from .reads import FLOOR, KEYS, timed_loop

KEYS_OF_A_TREE = 10_000
KEYS_OF_A_LARGE_STORE = 100_000
_MISS = """
def loop(c, keys):
    begin = clock()
    for k in keys:
        try:
            c[k]
        except KeyError:
            pass
    return clock() - begin
"""


class Before:
    """A mapping that reads as ours does, and raises what its dict raises."""

    __slots__ = ("_state",)

    def __init__(self, state: Any) -> None:
        self._state = state

    def __getitem__(self, key: str) -> Any:
        return self._state.values[key]


class BeforeSnapshot(dict[str, Any]):
    """A dict that is not exact, without a note."""

    __slots__ = ()


def measure_values(effort: Effort) -> list[Figure]:
    """Measure each beside what it has to keep up with, in turns; the fastest of each counts."""
    from pydantic import BaseModel

    class Bound(BaseModel, frozen=True):
        k0: int

    with Emulator() as store:
        store.set_many({f"k{number}": str(number) for number in range(KEYS)})
        with load(connection_string=store.connection_string) as config:
            binding = config.bind(Bound)
            reading = _ratio(
                effort, [(timed_loop("c[k]"), config), (timed_loop("c.value"), binding)]
            )
            misses = _misses(effort, config)
            snapshot_misses = _snapshot_misses(effort, config)
    return [
        Figure("binding.value, times config[k]", "x", reading, at_most=1.8),
        Figure("a caught miss of config[k], times a plain one", "x", misses, at_most=2),
        Figure("a caught miss of snapshot[k], times a plain one", "x", snapshot_misses, at_most=2),
        Figure("nested() of 10,000 keys", "ms", _fastest(effort, _tree()), at_most=2),
        Figure("the note of a miss, 100,000 keys", "ms", _fastest(effort, _note()), at_most=20),
    ]


def _misses(effort: Effort, config: AzureAppConfigurationProvider) -> float:
    plain = Before(inspect(config).state)
    return _ratio(effort, [(_miss(), plain), (_miss(), config)], missing=True)


def _snapshot_misses(effort: Effort, config: AzureAppConfigurationProvider) -> float:
    plain = BeforeSnapshot(config.snapshot)
    return _ratio(effort, [(_miss(), plain), (_miss(), config.snapshot)], missing=True)


def _ratio(
    effort: Effort,
    pair: list[tuple[Callable[[Any, list[str]], float], Any]],
    *,
    missing: bool = False,
) -> float:
    """Return how many times longer the second of two loops takes, net of an empty one."""
    keys = [f"k{number}{'/no' if missing else ''}" for number in range(KEYS)] * effort.laps
    loops = [(timed_loop("pass"), None), *pair]
    times: list[list[float]] = [[] for _ in loops]
    for _ in range(effort.rounds * effort.repeats):
        for (loop, subject), taken in zip(loops, times, strict=True):
            taken.append(loop(subject, keys) / len(keys))
    empty, first, second = times
    return net(second, empty, FLOOR) / net(first, empty, FLOOR)


def _miss() -> Callable[[Any, list[str]], float]:
    names: dict[str, Any] = {"clock": time.perf_counter_ns}
    exec(_MISS, names)
    loop: Callable[[Any, list[str]], float] = names["loop"]
    return loop


def _tree() -> Callable[[], object]:
    """Return what builds a tree of twenty branches with ten in each, and keys in their order."""
    keys = sorted(f"app{n % 20}:module{n % 200}:key{n}" for n in range(KEYS_OF_A_TREE))
    values: Mapping[str, str] = dict.fromkeys(keys, "value")
    return lambda: nested(values, "", ":", lists=True)


def _note() -> Callable[[], object]:
    from datetime import datetime, timezone

    from appconfig_provider.snapshot import Provenance, make_snapshot

    values = {f"app:module{n % 200}:key{n:06}": "v" for n in range(KEYS_OF_A_LARGE_STORE)}
    snapshot = make_snapshot(
        values,
        Provenance(1, datetime.now(timezone.utc)),
        explain=values.__getitem__,  # type: ignore[arg-type]  # not called
    )
    try:
        snapshot["app:module7:kye000007"]
    except MissingKey as error:
        missed = error
    return lambda: missed.note


def _fastest(effort: Effort, call: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest of many calls."""
    return min(timeit.repeat(call, number=1, repeat=effort.rounds * effort.repeats)) * 1000
