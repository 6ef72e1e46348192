"""A source that is not App Configuration has all of the runtime: polling, callbacks, fork, ..."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appconfig_provider import BindingError, ChangeSet
from appconfig_provider._live.callbacks import error_callbacks, success_callbacks
from appconfig_provider._live.configuration import on_attempt
from appconfig_provider._live.notifications import Attempted
from appconfig_provider.testing import FakeClock
from tests.live.address import Address
from tests.live.scene import INTERVAL, Web, awaited, eventually, options, serving, threaded

SOURCE = Path(__file__).with_name("address.py")
ALLOWED = ("appconfig_provider._live", "appconfig_provider._fetch", "appconfig_provider._plan")


@pytest.fixture
def web() -> Iterator[Web]:
    """Yield a running server."""
    with serving() as web:
        yield web


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def load(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return what loads a source, with threads and with asyncio."""
    kind: Callable[..., Any] = request.param
    return kind


def test_it_is_checked_when_the_interval_has_passed(web: Web, load: Any) -> None:
    """Nothing is asked before its time; then an ETag confirms, and a change is published."""
    with FakeClock() as clock, load(Address(web.url, options(clock))) as live:
        assert dict(live.provider) == {"color": "red"}
        web.content = {"color": "blue", "list": [1]}
        assert not live.refresh()
        assert web.asked == 1
        clock.advance(INTERVAL)
        assert live.refresh()
        assert dict(live.provider.snapshot) == {"color": "blue", "list": [1]}
        clock.advance(INTERVAL)
        assert not live.refresh()
        assert (web.asked, live.provider.status.age) == (3, 0)


def test_callbacks_hear_of_changes_and_errors(web: Web, load: Any) -> None:
    """A change is reported with its keys, a failure as an exception; the old values stay."""
    changes: list[ChangeSet] = []
    errors: list[Exception] = []

    def changed(news: ChangeSet) -> None:
        changes.append(news)

    reported = {"success": success_callbacks(changed), "error": error_callbacks(errors.append)}
    with FakeClock() as clock, load(Address(web.url, options(clock, **reported))) as live:
        heard = live.provider.on_change("size*")(changed)
        web.content = {"color": "red", "size": 2}
        assert live.refresh(force=True)
        assert [(one.added, one.reason) for one in changes] == [(("size",), "address")] * 2
        assert callable(heard)
        web.status = 503
        assert not live.refresh(force=True)
        assert live.provider["size"] == 2
        assert [str(one) for one in errors] == [f"{web.url}: answered 503 to GET /"]
        assert live.provider.status.last_error is errors[0]


def test_every_attempt_failure_and_recovery_can_be_heard(web: Web, load: Any) -> None:
    """A listener of attempts hears of each one, also of those that find nothing new."""
    heard: list[Attempted] = []
    with FakeClock() as clock, load(Address(web.url, options(clock))) as live:
        end = on_attempt(live.provider, heard.append)
        live.refresh(force=True)
        web.status = 500
        live.refresh(force=True)
        web.status = 200
        live.refresh(force=True)
        web.content = {"color": "blue"}
        live.refresh(force=True)
        end()
        live.refresh(force=True)
    assert [one.recovered for one in heard] == [False, False, True, False]
    assert [one.error is not None for one in heard] == [False, True, False, False]
    assert [one.changes is not None for one in heard] == [False, False, False, True]


def test_a_server_in_trouble_is_left_alone(web: Web, load: Any) -> None:
    """After a failure nothing is asked until the back-off has passed; success ends it."""
    with FakeClock() as clock, load(Address(web.url, options(clock))) as live:
        web.status = 500
        for pause in (INTERVAL, 2 * INTERVAL, 4 * INTERVAL):
            live.refresh(force=True)
            asked = web.asked
            assert live.provider.status.backoff_until is not None
            clock.advance(pause - 1)
            assert not live.refresh()
            assert web.asked == asked
        web.status = 200
        clock.advance(1)
        live.refresh()
        assert live.provider.status.backoff_until is None
        assert live.provider.status.last_error is None


def test_a_poller_checks_by_itself(web: Web, load: Any) -> None:
    """With `polls` a change comes without a call."""
    with FakeClock() as clock, load(Address(web.url, options(clock, polls=True))) as live:
        web.content = {"color": "green"}
        clock.advance(INTERVAL * 1.1)
        eventually(lambda: live.provider["color"] == "green")


def test_reads_keep_it_fresh_where_they_are_lazy(web: Web, load: Any) -> None:
    """With the lazy class a read finds it due, and a server in trouble is left alone."""
    with FakeClock() as clock, load(Address(web.url, options(clock)), lazy=True) as live:
        web.content = {"color": "green"}
        assert live.read(color) == "red"
        assert web.asked == 1
        clock.advance(INTERVAL)
        live.read(color)
        eventually(lambda: live.read(color) == "green")
        web.status = 503
        clock.advance(INTERVAL)
        live.read(color)
        eventually(lambda: live.provider.status.last_error)
        asked = web.asked
        for _ in range(10):
            assert live.read(color) == "green"
        assert web.asked == asked


def color(config: Any) -> object:
    """Read the only value."""
    return config["color"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_with_connections_of_its_own(web: Web) -> None:
    """The child keeps the values, sees the next change, and leaves the parent's sockets alone."""
    with FakeClock() as clock, threaded(Address(web.url, options(clock))) as live:
        web.content = {"color": "child"}
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert live.provider["color"] == "red"
                assert live.refresh(force=True)
                assert live.provider["color"] == "child"
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        assert live.refresh(force=True)


def test_after_close_the_values_stay_readable(web: Web, load: Any) -> None:
    """close() ends the connections; refresh() returns False from then on."""
    with FakeClock() as clock, load(Address(web.url, options(clock))) as live:
        pass
    assert live.provider["color"] == "red"
    assert web.asked == 1
    with FakeClock() as clock, threaded(Address(web.url, options(clock))) as other:
        other.provider.close()
        assert not other.refresh(force=True)


class Colored(BaseModel, frozen=True):
    """What is bound to the document."""

    color: str
    size: int = 1


def test_a_binding_refuses_a_document_that_does_not_fit(web: Web, load: Any) -> None:
    """Any source has bindings: the old document stays, is told, and a right one recovers."""
    errors: list[Exception] = []
    with FakeClock() as clock:
        given = options(clock, error=error_callbacks(errors.append))
        with load(Address(web.url, given)) as live:
            binding = live.provider.bind(Colored)
            web.content = {"color": "blue", "size": "many"}
            clock.advance(INTERVAL)
            assert not live.refresh()
            assert (binding.value.color, live.provider["color"]) == ("red", "red")
            assert [type(error) for error in errors] == [BindingError]
            assert live.provider.status.last_error is errors[0]
            web.content = {"color": "green", "size": "2"}
            clock.advance(INTERVAL)
            assert live.refresh()
            assert binding.value == Colored(color="green", size=2)
            assert live.provider.status.last_error is None


def test_the_source_is_short_and_imports_no_more_than_the_runtime() -> None:
    """At most sixty lines of code, and nothing but `_live`, `_fetch`, `_plan` and Python's own."""
    text = SOURCE.read_text()
    assert len(text.splitlines()) <= 60
    imported = [
        name
        for node in ast.walk(ast.parse(text))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    strange = [
        name
        for name in imported
        if not name.startswith(ALLOWED) and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert strange == []


def test_the_runtime_needs_nothing_of_azure(web: Web) -> None:
    """In a process of its own, a load, a refresh and a failure import no `azure`, no `_azure`."""
    program = f"""
import sys
from appconfig_provider._io.clock import clock_in_force
from appconfig_provider._io.network import Network
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._live.source import LiveOptions
from appconfig_provider._live.threads import ThreadedProvider
from tests.live.address import Address

clock = clock_in_force()
source = Address("{web.url}", LiveOptions(clock=clock, random=lambda: 0.0, interval=30.0))
driver = SyncDriver(lambda: Network(5.0, 5.0, 60.0, None, verify=True), clock, None)
with ThreadedProvider(source, driver, driver.run(source.first())) as live:
    live.refresh(force=True)
    assert live["color"] == "red"
    object.__setattr__(source, "name", "http://127.0.0.1:1")
    live.refresh(force=True)
print(*[name for name in sys.modules if "azure" in name.split(".") or "_azure" in name])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == ""
