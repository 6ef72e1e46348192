"""How a block of ConfigCat's page is run: as it stands, as if typed at Python's prompt."""

from __future__ import annotations

import ast
import gc
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from appconfig_provider.configcat import ConfigCatClient
from appconfig_provider.testing import ConfigCatEmulator, RequestRecord

KEY = "#YOUR-SDK-KEY#"
"""The SDK key of every block."""
ADDRESS = "APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL"
"""The variable that puts a server in the place of ConfigCat's CDN."""


def path_of(file: str = "config_v5.json", key: str = KEY) -> str:
    """Return the path of a file as it is asked for."""
    return f"/configuration-files/{quote(key, safe='/')}/{file}"


def run(block: str, **space: Any) -> dict[str, Any]:
    """Run a program and return what it leaves behind; `_` is the value of its last expression."""
    tree = ast.parse(block)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        kept = ast.Assign([ast.Name("_", ast.Store())], last.value)
        tree.body[-1] = ast.copy_location(kept, last)
    run_as_it_is(ast.fix_missing_locations(tree), space)
    return space


def run_as_it_is(block: str | ast.Module, space: dict[str, Any]) -> None:
    """Run a program that keeps nothing of what it does not name."""
    exec(compile(block, "page", "exec"), space)


def clients() -> list[ConfigCatClient]:
    """Return the clients of this process, those as well that nobody has a name for."""
    return [one for one in gc.get_objects() if type(one) is ConfigCatClient]


def stop_all() -> None:
    """Stop the clients of this process."""
    for client in clients():
        with suppress(AttributeError):  # its constructor has raised
            client.stop()


def asked(cdn: ConfigCatEmulator) -> list[RequestRecord]:
    """Return the requests that were answered since the last call."""
    requests = cdn.requests
    cdn.clear_requests()
    return requests


def write(folder: Path, text: str, name: str = "path/to/the/local_flags.json") -> Path:
    """Write a file, by default the one that the page's block reads."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
