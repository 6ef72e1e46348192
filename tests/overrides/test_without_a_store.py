"""LOCAL_ONLY: a program whose whole configuration are overrides, with threads and with asyncio."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import ChangeSet, OverrideBehaviour, Overrides, Polling
from appconfig_provider._io import aio_local
from appconfig_provider._io.files import read_file
from appconfig_provider._plan import FileContent, ReadFile
from appconfig_provider.testing import FakeClock
from tests.support.adapter import POLLED, Loader, Opener

ONLY = OverrideBehaviour.LOCAL_ONLY
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of overrides."""
    path = tmp_path / "dev.json"
    flags = [{"id": "Beta", "enabled": True}]
    given = {"a:b": 1, "a:c": 2, "feature_management": {"feature_flags": flags}}
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def test_no_endpoint_is_needed(opened: Opener, path: Path) -> None:
    """The file is the whole configuration."""
    config = opened(overrides=Overrides.from_file(path, behaviour=ONLY))
    assert config.snapshot["a:b"] == 1
    assert config.snapshot.origin == "override"
    assert config.snapshot["feature_management"]["feature_flags"][0]["id"] == "Beta"
    assert config.snapshot.nested()["a"] == {"b": 1, "c": 2}
    assert config.snapshot.explain("a:b").origin == "override"
    assert config.snapshot.explain("a:b").shadows == ()
    assert "local overrides" in repr(config.provider)


def test_what_is_said_of_a_store_does_not_count(opened: Opener) -> None:
    """Not even what would be refused else: no credential is called, nothing is resolved."""

    class Credential:
        def get_token(self, *_: object, **__: object) -> None:
            raise AssertionError("called")

    keywords: dict[str, Any] = {
        "endpoint": "not an endpoint",
        "credential": Credential(),
        "connection_string": "",
        "selects": 5,
        "refresh_on": ["a*"],
        "refresh_interval": -1,
        "feature_flag_enabled": True,
        "secret_resolver": 5,
        "replicas": ["x"],
        "verify": "/no/such/file.pem",
        "configuration_mapper": 5,
        "trim_prefixes": ["a"],
    }
    config = opened(**keywords, overrides=Overrides.from_dict({"a": 1}, behaviour=ONLY))
    assert dict(config.snapshot) == {"a": 1}
    assert config.status.requests_sent == 0


def test_several_layers_make_one_configuration(opened: Opener, path: Path) -> None:
    """A later one wins over an earlier one."""
    given = [
        Overrides.from_file(path, behaviour=ONLY),
        Overrides.from_dict({"a:b": "mine"}, behaviour=ONLY),
    ]
    config = opened(overrides=given)
    assert (config.snapshot["a:b"], config.snapshot["a:c"]) == ("mine", 2)


def test_it_is_always_healthy(opened: Opener, clock: FakeClock, path: Path) -> None:
    """Nobody has to confirm it, so that its age is 0, whatever time passes."""
    config = opened(overrides=Overrides.from_file(path, behaviour=ONLY))
    for _ in range(2):
        status = config.status
        assert (status.age, status.stale, status.endpoint) == (0.0, False, "")
        assert status.healthy(0)
        assert status.last_error is None
        clock.suspend(1e6)
        clock.advance(1e6)


def test_refresh_follows_the_file(opened: Opener, clock: FakeClock, path: Path) -> None:
    """Callbacks, subscriptions and `validate` are those of any configuration."""
    changes: list[ChangeSet] = []
    heard: list[str] = []
    errors: list[Exception] = []

    def changed(what: ChangeSet) -> None:
        changes.append(what)

    def validate(snapshot: Any) -> None:
        if snapshot["a:b"] == "bad":
            raise ValueError("refused")

    config = opened(
        overrides=Overrides.from_file(path, behaviour=ONLY),
        validate=validate,
        on_refresh_success=changed,
        on_refresh_error=errors.append,
    )
    config.provider.subscribe(lambda: heard.append("a:b"), "a:b")
    loaded = config.status.last_success
    path.write_text('{"a:b": "bad"}', encoding="utf-8")
    clock.advance(1)
    assert not config.refresh()
    assert str(errors[0]) == "refused"
    assert config.status.last_error is errors[0]
    assert config.status.last_success == loaded
    path.write_text('{"a:b": "good"}', encoding="utf-8")
    clock.advance(1)
    assert config.refresh()
    (change,) = changes
    assert (change.changed, change.removed) == (("a:b",), ("a:c", "feature_management"))
    assert (change.flags, change.reason) == (("Beta",), "override")
    assert heard == ["a:b"]
    status = config.status
    assert (status.last_error, status.generation) == (None, 2)
    assert status.last_success == status.last_attempt


def test_without_a_file_nothing_will_change(
    load: Loader, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """`refresh()` says so once, and it is no warning: the program asked for that."""
    given = Overrides.from_dict({"a": 1}, behaviour=ONLY)
    with load(overrides=given, on_refresh_success=print) as config:
        assert "nothing is watched" not in caplog.text
        clock.advance(100)
        with caplog.at_level("INFO"):
            assert not config.refresh()
            assert not config.refresh(force=True)
    told = [one for one in caplog.records if "no file of overrides" in one.getMessage()]
    assert [one.levelname for one in told] == ["INFO"]


@pytest.mark.parametrize("polling", [Polling.auto(), Polling.lazy(5)])
def test_what_polls_a_store_is_no_mistake_without_one(load: Loader, polling: Polling) -> None:
    """A program runs on a dict with no other change; there is nothing to check then."""
    overrides = Overrides.from_dict({"a": 1}, behaviour=ONLY)
    with load(overrides=overrides, refresh_on=["sentinel"], polling=polling) as config:
        assert config.snapshot == {"a": 1}
        assert not config.refresh()


@pytest.mark.parametrize("load", list(POLLED.values()), ids=list(POLLED), indirect=False)
def test_a_poller_follows_the_file(load: Loader, clock: FakeClock, path: Path) -> None:
    """A second later, and a little more, it has published the new content."""
    changed = threading.Event()
    with load(
        overrides=Overrides.from_file(path, behaviour=ONLY),
        polling=Polling.auto(),
        on_refresh_success=changed.set,
    ) as config:
        path.write_text('{"a:b": 2}', encoding="utf-8")
        clock.advance(1.1)
        assert changed.wait(20)
        assert dict(config.snapshot) == {"a:b": 2}


def test_an_event_of_a_store_is_not_meant(opened: Opener, path: Path) -> None:
    """`notify` takes it, and nothing becomes due."""
    config = opened(overrides=Overrides.from_file(path, behaviour=ONLY))
    event = {
        "eventType": "Microsoft.AppConfiguration.KeyValueModified",
        "subject": "https://contoso.azconfig.io/kv/a",
        "data": {"syncToken": "zone=1;sn=1"},
    }
    assert config.provider.notify(event) is None
    assert not config.refresh()


def test_a_forked_child_follows_the_file(clock: FakeClock, path: Path) -> None:
    """It keeps the generation, and checks for itself."""
    with appconfig_provider.load(overrides=Overrides.from_file(path, behaviour=ONLY)) as config:
        path.write_text('{"a:b": 2}', encoding="utf-8")
        child = os.fork()
        if child == 0:
            clock.advance(2)
            fine = config["a:b"] == 1 and config.refresh() and config["a:b"] == 2
            os._exit(0 if fine else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_after_close_it_stays_as_it_is(opened: Opener, clock: FakeClock, path: Path) -> None:
    """As every configuration."""
    config = opened(overrides=Overrides.from_file(path, behaviour=ONLY))
    config.close()
    path.write_text("{}", encoding="utf-8")
    clock.advance(1)
    assert not config.refresh()
    assert config.snapshot["a:b"] == 1


def test_a_slow_folder_does_not_hold_up_the_loop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may lie on another machine: it is read on a thread, and other tasks go on."""
    others_ran = threading.Event()

    def slow(effect: ReadFile) -> FileContent | None:
        assert others_ran.wait(20)
        return read_file(effect)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(others_ran.set)
        given = Overrides.from_file(path, behaviour=ONLY)
        async with await appconfig_provider.aio.load(overrides=given) as config:
            assert config["a:b"] == 1

    monkeypatch.setattr(aio_local, "read_file", slow)
    asyncio.run(main())


LOADED = """
import sys
from appconfig_provider import OverrideBehaviour, Overrides, load
given = Overrides.from_file({path!r}, behaviour=OverrideBehaviour.LOCAL_ONLY)
with load(overrides=given) as config:
    assert config["a:b"] == 1
    config.refresh(force=True)
    config.status.healthy(0)
print(sorted({{"azure", "httpx", "httpcore", "ssl", "asyncio", "anyio"}} & set(sys.modules)))
"""
AWAITED = """
import asyncio, sys
from appconfig_provider import OverrideBehaviour, Overrides
from appconfig_provider.aio import load
async def main():
    given = Overrides.from_file({path!r}, behaviour=OverrideBehaviour.LOCAL_ONLY)
    async with await load(overrides=given) as config:
        assert config["a:b"] == 1
        await config.refresh(force=True)
asyncio.run(main())
print(sorted({{"azure", "httpx", "httpcore", "anyio"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("program", [LOADED, AWAITED], ids=["sync", "aio"])
def test_no_http_library_is_imported(program: str, path: Path) -> None:
    """A program without a store starts without what would take most of the time."""
    shown = subprocess.run(
        [sys.executable, "-c", program.format(path=str(path))],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert shown.stdout.strip() == "[]"
