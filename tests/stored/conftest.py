"""A store, and the file in which its content is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from appconfig_provider import FileCache
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader, Provider

Start: TypeAlias = Callable[..., Any]
"""Loads with the store and the file; more keywords as they come."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of the file."""
    return tmp_path / "copy"


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store of three pages and a sentinel."""
    with Emulator(clock=clock, page_size=2) as emulator:
        emulator.set_many({"a": "1", "b": "2", "c": {"d": [1]}, "e": "5", "sentinel": "1"})
        clock.advance(5)
        yield emulator


@pytest.fixture
def start(load: Loader, store: Emulator, path: Path) -> Start:
    """Load with the store and the file; keywords of FileCache by `file`."""

    def start(file: dict[str, Any] | None = None, **keywords: Any) -> Any:
        given = {
            "connection_string": store.connection_string,
            "refresh_on": ["sentinel"],
            "cache": FileCache(path, **(file or {})),
            **keywords,
        }
        return load(**given)

    return start


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """Give what returns the log lines of a level, INFO and WARNING, since the last call."""
    caplog.set_level(logging.INFO, "appconfig_provider")

    def lines(level: str = "WARNING") -> list[str]:
        found = [
            one.getMessage()
            for one in caplog.records
            if one.name == "appconfig_provider" and one.levelname == level
        ]
        caplog.clear()
        return found

    return lines


@contextmanager
def outage(store: Emulator, status: int = 503) -> Iterator[None]:
    """Let the store answer every request with a status."""
    with store.respond(lambda _: Scripted(status)):
        yield


def once(start: Start, **keywords: Any) -> dict[str, Any]:
    """Load, and close again; return what was served."""
    with start(**keywords) as config:
        served: Provider = config
        return dict(served.snapshot)
