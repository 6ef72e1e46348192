"""Starting: imports, and import plus first load, in fresh processes, net of `python -c pass`."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from .measure import Effort, Measurement, Metric, Samples, net, sides_of
from .process import Python
from .server import Store

FLOOR = 0.1
"""Milliseconds; the start of a process varies by more."""

_NOTHING = "pass"

_AS_INSTALLED = "import sys; sys.modules['trio'] = None\n"
"""Hides from both sides what only the tests here install: httpcore imports trio where it can, and
that takes a fifth of the time of a first load."""

_FIRST_LOAD = """
from $package import SettingSelector, load
config = load(
    connection_string='$connection', selects=[SettingSelector(key_filter='$key')]
)
if list(config) != ['$key']:
    raise SystemExit('loaded something else')
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start, the same for both packages but for the name."""

    metric: Metric
    source: str

    def written_for(self, package: str, store: Store) -> str:
        """Return the program's text for a package."""
        return _AS_INSTALLED + Template(self.source).substitute(
            package=package, connection=store.connection, key=store.keys[0]
        )


PACKAGES = ("azure.appconfiguration.provider", "appconfig_provider")

PROGRAMS = (
    Program(Metric("import of the package", "ms", 8), "import $package"),
    Program(
        Metric("from package import load, WatchKey", "ms"), "from $package import load, WatchKey"
    ),
    Program(Metric("import + first load of one setting", "ms", 2), _FIRST_LOAD),
)


def measure_imports(effort: Effort, store: Store) -> list[Measurement]:
    """Start each program on both sides, many times."""
    samples = Samples()
    with Python() as python:
        for program in PROGRAMS:  # once for the byte code and the disk cache
            for package in PACKAGES:
                python.run("-c", program.written_for(package, store))
        for number in range(effort.rounds):
            for program in PROGRAMS:
                sources = [program.written_for(package, store) for package in PACKAGES]
                samples.add(program.metric, *_race(python, sources, effort.starts, number))
    return samples.measurements()


def _race(python: Python, sources: list[str], starts: int, number: int) -> tuple[float, float]:
    """Return the best of several starts on both sides, net of starting nothing."""
    empty: list[float] = []
    times: list[list[float]] = [[], []]
    for _ in range(starts):
        empty.append(python.milliseconds(_NOTHING))
        for side in sides_of(number):
            times[side].append(python.milliseconds(sources[side]))
    official, ours = times
    return net(official, empty, FLOOR), net(ours, empty, FLOOR)
