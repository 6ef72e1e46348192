"""Starting: imports, and import plus first load, in fresh processes, net of `python -c pass`."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from .measure import Effort, Measurement, Metric, Samples
from .process import Python
from .server import Store

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
        return Template(self.source).substitute(
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
                samples.add(program.metric, *python.race(sources, effort.starts, number))
    return samples.measurements()
