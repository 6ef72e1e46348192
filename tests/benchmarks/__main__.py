"""`python -m tests.benchmarks`: measure, print the table, write JSON, Markdown and plots."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .caches import measure_cache_files, measure_caches
from .configcat import measure_configcat
from .crowds import measure_crowds
from .delays import measure_delays
from .emulator import measure_emulator
from .flags import measure_flags
from .imports import measure_imports
from .loads import measure_loads
from .measure import Effort, Figure, Measurement
from .plots import MISSING, draw
from .process import ROOT
from .reads import measure_reads
from .refreshes import measure_refreshes
from .report import figures_markdown, figures_table, insert, markdown, table, write
from .secrets import measure_secrets
from .server import Store, running_store
from .values import measure_values

# Reads come first: CPython 3.11 gives the fast way to call `__getitem__` to no more functions than
# the first 65,535 that are called often, and whoever waits for minutes of refreshes comes too late.
PARTS: dict[str, Callable[[Effort, Store], list[Measurement]]] = {
    "reads": measure_reads,
    "crowds": measure_crowds,
    "refreshes": measure_refreshes,
    "delays": measure_delays,
    "loads": measure_loads,
    "imports": measure_imports,
    "secrets": measure_secrets,
    "caches": measure_caches,
}
#: What is measured of ours alone, against a goal.
FIGURES: dict[str, Callable[[Effort], list[Figure]]] = {
    "values": measure_values,
    "emulator": measure_emulator,
    "flags": measure_flags,
    "configcat": measure_configcat,
    "cache-files": measure_cache_files,
}
#: See above; what is left out of this is measured afterwards, in order.
FIRST = ("reads", "values")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return 1 when one could not be measured.

    A missed target is shown and is no failure, for machines differ.
    """
    options = _parser().parse_args(arguments)
    effort = Effort.quick() if options.quick else Effort()
    if options.rounds:
        effort = replace(effort, rounds=options.rounds)
    measurements, figures, failures = _measure(options.only or _in_order(), effort)
    print(table(measurements, failures))
    if figures:
        print(f"\n{figures_table(figures)}")
    write(measurements, effort, failures, options.json, figures)
    print(f"\nwritten: {options.json} and {options.json.with_suffix('.md')}")
    try:
        print(f"{len(draw(measurements, options.json.parent))} plots beside them")
    except ImportError:
        print(MISSING)
    if options.insert is not None and not failures:
        text = markdown(measurements, effort) if measurements else figures_markdown(figures)
        insert(options.insert, text)
    return 1 if failures else 0


def _measure(
    parts: Sequence[str], effort: Effort
) -> tuple[list[Measurement], list[Figure], dict[str, str]]:
    """Run the parts; one that fails does not stop the others, and its reason is returned."""
    measurements: list[Measurement] = []
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    with running_store(effort.settings) as store:
        for name in parts:
            begin = time.monotonic()
            try:
                store.delay(0)
                if name in FIGURES:
                    figures += FIGURES[name](effort)
                else:
                    measurements += PARTS[name](effort, store)
            except Exception as error:  # whatever it is, the other parts can still be measured
                failures[name] = f"{type(error).__name__}: {error}"
            print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return measurements, figures, failures


def _in_order() -> list[str]:
    return sorted([*PARTS, *FIGURES], key=lambda name: name not in FIRST)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure this library beside azure-appconfiguration-provider.",
    )
    parser.add_argument("--rounds", type=_count, metavar="N", help="paired rounds (5)")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, rough")
    parser.add_argument(
        "--only", action="append", choices=[*PARTS, *FIGURES], help="a part; may be repeated"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "bench" / "results.json",
        metavar="FILE",
        help="where to write the samples; tables and plots go beside it (%(default)s)",
    )
    parser.add_argument(
        "--insert",
        type=Path,
        metavar="FILE.md",
        help="put the table between the marks of this document, unless a part failed",
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
