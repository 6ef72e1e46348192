"""`python -m tests.benchmarks`: measure, print the table, write JSON and Markdown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .imports import measure_imports
from .loads import measure_loads
from .measure import Effort, Measurement
from .process import ROOT
from .reads import measure_reads
from .refreshes import measure_refreshes
from .report import table, write
from .secrets import measure_secrets
from .server import Store, running_store

PARTS: dict[str, Callable[[Effort, Store], list[Measurement]]] = {
    "reads": measure_reads,
    "loads": measure_loads,
    "imports": measure_imports,
    "refreshes": measure_refreshes,
    "secrets": measure_secrets,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; a missed target is shown and does not fail, for machines differ."""
    options = _parser().parse_args(arguments)
    effort = Effort.quick() if options.quick else Effort()
    if options.rounds:
        effort = replace(effort, rounds=options.rounds)
    measurements: list[Measurement] = []
    with running_store(effort.settings) as store:
        for name in options.only or PARTS:
            print(f"{name} ...", file=sys.stderr, flush=True)
            measurements += PARTS[name](effort, store)
    print(table(measurements))
    write(measurements, effort, options.json)
    print(f"\nwritten: {options.json} and {options.json.with_suffix('.md')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure this library beside azure-appconfiguration-provider.",
    )
    parser.add_argument("--rounds", type=_count, metavar="N", help="paired rounds (7)")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, rough")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "bench" / "results.json",
        metavar="FILE",
        help="where to write the samples; the table goes beside it as Markdown (%(default)s)",
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
