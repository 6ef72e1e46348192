"""Starting with the copy of an earlier run: in this process, in a fresh one, and the file alone.

The official provider keeps nothing between runs, so that it loads everything each time. The store
has not changed since the copy was kept.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from .imports import PACKAGES
from .measure import Effort, Figure, Measurement, Metric, Samples, sides_of
from .process import Python
from .server import Store, running_store
from .sides import EVERY, SENTINEL, fingerprint, load_official, load_ours, require_equal

DELAY = 0.02
"""Seconds added to every answer of the store."""
FEW = 1_000
"""Settings that a fresh process loads."""
FLOOR = 0.1
"""Milliseconds; the start of a process varies by more."""

_OFFICIAL = """
from $package import SettingSelector, WatchKey, load
config = load(
    connection_string='$connection', selects=[SettingSelector(key_filter='$filter')],
    refresh_on=[WatchKey('sentinel')]$cache
)
if len(config) != $number:
    raise SystemExit('loaded something else')
"""
_OURS = "from appconfig_provider import FileCache\n" + _OFFICIAL


def load_with(path: Path, **keywords: Any) -> Callable[[str], Any]:
    """Return what loads everything with a cache file."""
    from appconfig_provider import FileCache, SettingSelector, WatchKey, load

    def loaded(connection: str) -> Any:
        return load(
            connection_string=connection,
            selects=[SettingSelector(key_filter=EVERY)],
            refresh_on=[WatchKey(key) for key in SENTINEL.watched],
            cache=FileCache(path, **keywords),
        )

    return loaded


def measure_caches(effort: Effort, store: Store) -> list[Measurement]:
    """Start with the file of all settings, and in a fresh process with that of a few."""
    with tempfile.TemporaryDirectory() as folder:
        warm = _warm_starts(effort, store, Path(folder) / "many")
        return warm + _cold_starts(effort, Path(folder) / "few")


def _warm_starts(effort: Effort, store: Store, path: Path) -> list[Measurement]:
    what = f"start with the file, {len(store.keys):,} settings at {DELAY * 1e3:g} ms"
    ways = {
        Metric(f"{what}, pages verified", "ms", 25): load_with(path),
        Metric(f"{what}, sentinels verified", "ms", 100): load_with(path, verify="sentinels"),
        Metric(f"{what}, served first", "ms"): load_with(path, first=True),
    }
    samples = Samples()
    load_ours(store.connection, SENTINEL).close()
    for load in ways.values():  # the first one writes the file
        load(store.connection).close()
    store.delay(DELAY)
    for number in range(effort.fewer):
        for metric, load in ways.items():
            times, shown = [0.0, 0.0], ["", ""]
            for side in sides_of(number):
                gc.collect()  # neither side pays for what the other has left
                begin = time.perf_counter()
                config = (
                    load(store.connection) if side else load_official(store.connection, SENTINEL)
                )
                times[side] = (time.perf_counter() - begin) * 1e3
                shown[side] = fingerprint(config)
                config.close()
            require_equal(*shown)
            samples.add(metric, *times)
    store.delay(0)
    return samples.measurements()


def _cold_starts(effort: Effort, path: Path) -> list[Measurement]:
    """Start fresh processes that load; the fastest of each round counts."""
    samples = Samples()
    few = min(FEW, effort.settings)
    ways = {
        Metric(f"process start with {few:,} settings, no file", "ms", 1.6): "",
        Metric(f"process start with {few:,} settings, pages verified", "ms", 3): "FileCache($path)",
        Metric(
            f"process start with {few:,} settings, served first", "ms", 12
        ): "FileCache($path, first=True)",
    }
    with Python() as python, running_store(few) as store:
        given = {
            "connection": store.connection,
            "filter": EVERY,
            "number": few,
            "path": repr(str(path)),
        }
        official = Template(_OFFICIAL).substitute(given, package=PACKAGES[0], cache="")
        for way in (*ways.values(), *ways.values()):  # for the byte code, and to write the file
            python.run("-c", official)
            python.run("-c", _ours(given, way))
        store.delay(DELAY)
        for number in range(effort.rounds):
            for metric, way in ways.items():
                programs = (official, _ours(given, way))
                samples.add(metric, *python.race(programs, effort.starts, number))
    return samples.measurements()


def _ours(given: dict[str, Any], way: str) -> str:
    cache = f", cache={Template(way).substitute(given)}" if way else ""
    return Template(_OURS if way else _OFFICIAL).substitute(given, package=PACKAGES[1], cache=cache)


def measure_cache_files(effort: Effort) -> list[Figure]:
    """Write the file of all settings, and read it to a generation that can be served."""
    with tempfile.TemporaryDirectory() as folder, running_store(effort.settings) as store:
        path = Path(folder) / "copy"
        load_with(path)(store.connection).close()
        first = load_with(path, first=True)
        reads = [
            _milliseconds(lambda: first(store.connection).close()) for _ in range(effort.repeats)
        ]
        writes = [_write(path) for _ in range(effort.repeats)]
    many = f"{effort.settings:,} settings"
    return [
        Figure(f"cache file of {many}: read to a generation", "ms", min(reads), at_most=7),
        Figure(f"cache file of {many}: write", "ms", min(writes), at_most=8),
    ]


def _milliseconds(job: Callable[[], object]) -> float:
    begin = time.perf_counter()
    job()
    return (time.perf_counter() - begin) * 1e3


def _write(path: Path) -> float:
    """Write the file of what is loaded once more, as after a reload."""
    from appconfig_provider import FileCache
    from appconfig_provider._azure.stored.document import from_text, to_text

    stored = FileCache(path).read(time.time())
    if stored is None:
        raise RuntimeError("there is no file")
    document = from_text(stored.text)
    return _milliseconds(lambda: FileCache(path).write(lambda: to_text(document), 0.0, 0.0))
