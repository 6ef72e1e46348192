"""What a start imports: a program that serves a copy first does without what sends requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appconfig_provider import FileCache, load
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.stored.document import Document, to_text
from appconfig_provider._azure.stored.identity import Identity
from appconfig_provider.testing import Emulator

pytestmark = pytest.mark.unmeasured  # a tracer imports modules of its own

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


LATE = """
import sys
from appconfig_provider import FileCache, load
config = load("https://contoso.azconfig.io", cache=FileCache(sys.argv[1], first=True))
print(sorted({heavy} & set(sys.modules)), config.status.stale)
import azure.identity
class Credential:
    def get_token(self, *scopes, claims=None):
        print(*scopes, claims)
        raise LookupError
    def close(self):
        print("closed")
azure.identity.DefaultAzureCredential = Credential
print(config.refresh(), type(config.status.last_error).__name__)
config.close()
"""


def test_the_default_credential_is_made_when_a_token_is_wanted(tmp_path: Path) -> None:
    """With an endpoint alone and `first=True`, azure.identity is imported by the first refresh."""
    path = tmp_path / "copy"
    target = "/kv?api-version=2024-09-01&key=%2A&label=%00"
    identity = Identity(
        ("https://contoso.azconfig.io",), (target,), None, (), watches_pages=False, detailed=False
    )
    text = to_text(Document(identity, Content(((),)), ()))
    FileCache(path).write(lambda: text, 1.7e9, 1.7e9)
    shown = subprocess.run(
        [sys.executable, "-c", LATE.replace("{heavy}", repr(HEAVY)), str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.splitlines() == [
        "[] True",
        "https://azconfig.io/.default None",
        "False LookupError",
        "closed",
    ]
