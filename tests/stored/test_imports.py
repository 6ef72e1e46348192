"""What a start imports: a program that serves a copy first does without what sends requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from appconfig_provider import FileCache, load
from appconfig_provider.testing import Emulator

HEAVY = {"anyio", "asyncio", "azure", "certifi", "h11", "httpcore", "httpx", "ssl", "socket"}

PROGRAM = """
import sys
from appconfig_provider import FileCache, load
config = load(
    connection_string=sys.argv[1], refresh_on=["sentinel"], cache=FileCache(sys.argv[2], first=True)
)
print(config["message"], sorted({heavy} & set(sys.modules)))
print(config.refresh(), config["message"], config.status.stale)
"""


def test_a_copy_that_is_served_first_imports_nothing_that_sends(tmp_path: Path) -> None:
    """With `first=True` neither httpx, httpcore, ssl, asyncio nor azure is imported by `load()`."""
    path = tmp_path / "copy"
    with Emulator() as store:
        store.set_many({"message": "hello", "sentinel": "1"})
        given = {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}
        load(**given, cache=FileCache(path)).close()  # type: ignore[arg-type]  # as they come
        store.set("message", "new")
        shown = subprocess.run(
            [
                sys.executable,
                "-c",
                PROGRAM.replace("{heavy}", repr(HEAVY)),
                *_arguments(store, path),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert shown.stdout.splitlines() == ["hello []", "True new False"]


def _arguments(store: Emulator, path: Path) -> tuple[str, str]:
    return store.connection_string, str(path)
