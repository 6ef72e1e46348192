"""How settings are shown: a table to people, lines or JSON to programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from appconfig_provider.cli.store import Item
from appconfig_provider.texts import printable, printable_lines

_HEADINGS = ("Key", "Label", "Value", "Content type")


def show(items: Sequence[Item], *, as_json: bool) -> None:
    """Print settings in the form that suits the reader."""
    if as_json:
        click.echo(json.dumps({"items": [item.exported() for item in items]}, indent=2))
    else:
        show_rows(_HEADINGS, list(map(_cells, items)))


def show_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: on a terminal as a table, elsewhere as lines with tabs between the cells."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(_table(headings, rows) if rows else "No settings.")
    else:
        for row in rows:
            click.echo("\t".join(printable(cell, None) for cell in row))


def show_value(value: str) -> None:
    """Print a value: as it is to programs, without orders to the terminal to people."""
    # Not click.echo(): it takes escape codes out of what goes into a pipe.
    print(printable_lines(value) if sys.stdout.isatty() else value)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for heading in headings:
        # "fold" breaks a long value into lines; the default would cut it off.
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, None)) for cell in row))
    return table


def _cells(item: Item) -> tuple[str, ...]:
    return item.key, item.label or "", item.value or "", item.content_type or ""
