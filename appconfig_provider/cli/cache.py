"""`appconfig cache`: looking into the file of a `FileCache`, and removing it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import click

from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.stored.document import Document, from_text
from appconfig_provider.caches.envelope import HEADER, CopyRefused, read_header
from appconfig_provider.caches.file import FileCache
from appconfig_provider.caches.replacing import temporary_files
from appconfig_provider.caches.trust import open_trusted
from appconfig_provider.cli.display import show_rows
from appconfig_provider.protocols import Stored
from appconfig_provider.texts import counted, printable

_PATH = click.argument("path", type=click.Path())


@click.group()
def cache() -> None:
    """Look into the file of a FileCache, or remove it."""


@cache.command()
@_PATH
@click.option("--values", is_flag=True, help="Show the values too; settings may be confidential.")
def show(path: str, *, values: bool) -> None:
    """Show what a start without the store would serve.

    Secrets of Key Vault are never in the file, only references to them.
    """
    stored, document = _read(path)
    click.echo(_summary(stored, document), err=True)
    headings = ["Key", "Label", *(["Value"] if values else []), "Content type"]
    rows = [
        [one.key, one.label or "", *([one.value or ""] if values else []), one.content_type or ""]
        for one in _settings(document)
    ]
    show_rows(headings, rows)


@cache.command()
@_PATH
def clear(path: str) -> None:
    """Remove the file, and what writers that were killed have left beside it.

    A file that is not one of a FileCache stays.
    """
    file_path = Path(path).absolute()
    try:
        descriptor = open_trusted(str(file_path), trust_group=True)
        with os.fdopen(descriptor, "rb") as file:
            read_header(file.read(HEADER))
        file_path.unlink()
    except FileNotFoundError:
        message = f"There is no file {printable(path)}."
    except OSError as error:
        raise click.ClickException(f"{printable(path)} stays: {_why(error)}.") from error
    except CopyRefused as error:
        raise click.ClickException(
            f"{printable(path)} stays: {_why(error)}. Only the file of a FileCache is removed: "
            "check the path, or delete the file yourself."
        ) from error
    else:
        message = f"Removed {printable(path)}."
    for temporary in temporary_files(str(file_path)):
        with suppress(OSError):  # its writer renames it just now, or it is a folder
            Path(temporary).unlink()
    click.echo(message)


def _read(path: str) -> tuple[Stored, Document]:
    try:
        stored = FileCache(path, trust_group=True).read(time.time())
        if stored is None:
            raise click.ClickException(f"There is no file {printable(path)}.")
        return stored, from_text(stored.text)
    except (OSError, ValueError, CopyRefused) as error:
        raise click.ClickException(f"{printable(path)} is not used: {_why(error)}.") from error


def _why(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(told)


def _summary(stored: Stored, document: Document) -> str:
    number = len(_settings(document))
    confirmed = "unknown" if stored.confirmed is None else _shown(stored.confirmed)
    return (
        f"{counted(number, 'setting')} of {printable(', '.join(document.identity.endpoints))}, "
        f"loaded {_shown(stored.loaded)}, confirmed {confirmed}"
    )


def _shown(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, timezone.utc).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # the clock was wrong when it was written
        return "at an unknown time"


def _settings(document: Document) -> list[Setting]:
    """Return everything that the copy holds, each once: selectors may find the same settings."""
    content = document.content
    found = {
        (one.key, one.label): one
        for pages in (*content.settings, *content.references.values(), *(content.flags or ()))
        for page in pages
        for one in page.settings
    }
    return list(found.values())
