"""Servers that fork workers: each worker refreshes by itself, over connections of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from appconfig_provider.testing import ConfigCatEmulator, Emulator, RequestRecord
from tests.prefork.relay import Relay
from tests.support.content import publish

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORKERS = 3
PATIENCE = 40.0
"""Real seconds that something another process does is waited for at most."""

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.unmeasured,
]


class Server(NamedTuple):
    """How to start a server."""

    name: str
    options: str
    preloads: bool
    """True when the configuration is loaded before the fork."""
    polls: bool = True
    """True when pollers can work in its workers."""
    app: str = "wsgi_app"

    @property
    def id(self) -> str:
        """The name of its tests."""
        return f"{self.name} {self.options}".strip()

    def command(self, port: int) -> list[str]:
        """Return what to run."""
        if self.name == "uwsgi":
            where = f"--http-socket 127.0.0.1:{port} --master --processes {WORKERS} --need-app"
            module = f"--wsgi-file {HERE / self.app}.py --pyhome {sys.prefix} --pythonpath {ROOT}"
            return [uwsgi() or "uwsgi", *f"{where} {module} {self.options}".split()]
        where = f"--bind 127.0.0.1:{port} --workers {WORKERS} --pythonpath {HERE},{ROOT}"
        module = f"{self.app}:application --timeout 60 --log-level warning"
        return [sys.executable, "-m", "gunicorn", *f"{where} {self.options} {module}".split()]


SERVERS = [
    Server("uwsgi", "", preloads=True, polls=False),
    Server("uwsgi", "--lazy-apps", preloads=False, polls=False),
    Server("uwsgi", "--lazy-apps --enable-threads", preloads=False),
    Server("uwsgi", "--enable-threads", preloads=True),
    Server("uwsgi", "--enable-threads --threads 2", preloads=True),
    Server("uwsgi", "--py-call-osafterfork", preloads=True, polls=False),
    Server("uwsgi", "--py-call-osafterfork --enable-threads", preloads=True),
    *(
        Server("gunicorn", f"-k {kind} {how}".strip(), preloads=bool(how), app=app)
        for kind, app in [
            ("sync", "wsgi_app"),
            ("gthread --threads 2", "wsgi_app"),
            ("gevent", "wsgi_app"),
            ("uvicorn.workers.UvicornWorker", "asgi_app"),
        ]
        for how in ("", "--preload")
    ),
]


def uwsgi() -> str | None:
    """Return where uWSGI is, if it is here."""
    return shutil.which("uwsgi", path=sysconfig.get_path("scripts"))


def missing(server: Server) -> str | None:
    """Return why a server cannot be started, if it cannot."""
    how = "pip install --group prefork"
    if server.name == "uwsgi":
        return None if uwsgi() else f"no uWSGI here: {how} (it needs a C compiler)"
    for module in ("gunicorn", "gevent", "uvicorn"):
        if module in f"gunicorn {server.options}" and importlib.util.find_spec(module) is None:
            return f"no {module} here: {how}"
    return None


class Running:
    """A server that runs, and what its workers say."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self._log = port, process, log

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, *_: object) -> dict[str, Any] | None:
        """Return what some worker knows; None while none answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=20) as answer:
                reported: dict[str, Any] = json.load(answer)
                return reported
        except (OSError, ValueError):
            assert self.process.poll() is None, self.log
            return None

    def workers(self, wanted: Callable[[dict[str, Any]], bool], but: int = 0) -> dict[int, Any]:
        """Wait until as many workers as there are say what is wanted, at last."""
        end, found = time.monotonic() + PATIENCE, dict[int, Any]()
        with ThreadPoolExecutor(WORKERS + 1) as crowd:
            while True:
                for reported in crowd.map(self.ask, range(2 * WORKERS)):
                    if reported is not None and reported["pid"] != but:
                        found[reported["pid"]] = reported
                if len(found) == WORKERS and all(map(wanted, found.values())):
                    return found
                assert time.monotonic() < end, (found, self.log)
                time.sleep(0.05)


@contextlib.contextmanager
def running(server: Server, relay: Relay, folder: Path, **more: str) -> Iterator[Running]:
    """Run a server in front of a store."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "log"
    found = re.sub(r":\d+;", f":{relay.port};", more.pop("APP_STORE"))
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")]), *sys.path])
    environment = {
        **os.environ,
        "APP_STORE": found,
        "APP_LOADS": str(folder / "loads"),
        "PYTHONPATH": path,
        **more,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command(port),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        try:
            yield Running(port, process, log)
        finally:
            process.send_signal(signal.SIGINT if server.name == "uwsgi" else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def all_say(value: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a worker's configurations all have a value."""
    return lambda reported: set(reported["values"]) == {value} and not reported["errors"]


def lines_of(folder: Path) -> list[tuple[int, float, float]]:
    """Return which processes loaded, and when they began and ended to."""
    lines = (folder / "loads").read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(line)) for line in lines]


@pytest.fixture
def relay(store: Emulator) -> Iterator[Relay]:
    """Give a relay in front of the store."""
    publish(store, "1")
    with Relay(int(store.endpoint.rpartition(":")[2])) as relay:
        yield relay


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.id)
def test_each_worker_follows_the_store_over_connections_of_its_own(
    server: Server, store: Emulator, relay: Relay, tmp_path: Path
) -> None:
    """Polled and by `refresh()`; also a worker that took the place of one that was killed."""
    reason = missing(server)
    if reason is not None:
        pytest.skip(reason)
    more = {"APP_STORE": store.connection_string}
    if not server.polls:
        more["APP_REFRESHES_POLLED"] = "yes"
    with running(server, relay, tmp_path, **more) as served:
        served.workers(all_say("1"))
        publish(store, "2")
        workers = served.workers(all_say("2"))
        assert {reported["pollers"] for reported in workers.values()} == {int(server.polls)}
        killed = next(iter(workers))
        os.kill(killed, signal.SIGKILL)
        publish(store, "3")
        workers |= served.workers(all_say("3"), but=killed)
    loads = lines_of(tmp_path)
    assert server.preloads == any(pid not in workers for pid, _, _ in loads)
    warned = served.log.count("this server runs no threads")
    assert warned == (0 if server.polls else len(loads))
    assert "Traceback" not in served.log
    for pid, began, ended in loads:
        if pid not in workers:
            judge_connections(relay, began, ended, len(workers))


def judge_connections(relay: Relay, began: float, ended: float, workers: int) -> None:
    """See that what a parent opened while it loaded is not used by its workers.

    Its own poller may go on; the configuration without one is refreshed by workers alone.
    """
    parents = [one for one in relay.connections if began <= one.opened <= ended]
    assert any(one.manual for one in parents)
    late = [one for one in parents if one.manual and max(one.requests) > ended]
    assert not late, "a worker asked over a connection of its parent"
    for manual in (True, False):
        own = [one for one in relay.connections if one.opened > ended and one.manual is manual]
        assert len(own) >= workers


CONFIGCAT = [
    one._replace(app="configcat_app")
    for one in SERVERS
    if one.preloads and one.app == "wsgi_app" and "osafterfork" not in one.options
]


@pytest.mark.parametrize("server", CONFIGCAT, ids=lambda server: server.id)
def test_each_worker_of_a_client_made_before_the_fork_follows_its_config(
    server: Server, tmp_path: Path
) -> None:
    """ConfigCat's clients poll in each worker; where no threads run, late reads download."""
    reason = missing(server)
    if reason is not None:
        pytest.skip(reason)
    with ConfigCatEmulator() as cdn, Relay(int(cdn.base_url.rpartition(":")[2])) as relay:
        cdn.set("k", "1")
        more = {"APP_STORE": f"{cdn.base_url};", "APP_SDK_KEY": cdn.sdk_key}
        with running(server, relay, tmp_path, **more) as served:
            served.workers(all_say("1"))
            cdn.set("k", "2")
            workers = served.workers(all_say("2"))
            assert {reported["pollers"] for reported in workers.values()} == {int(server.polls)}
            killed = next(iter(workers))
            os.kill(killed, signal.SIGKILL)
            cdn.set("k", "3")
            workers |= served.workers(all_say("3"), but=killed)
        ((parent, _, ended),) = lines_of(tmp_path)
        assert parent not in workers
        assert len([one for one in relay.connections if one.opened > ended]) >= len(workers)
        assert "Traceback" not in served.log


@pytest.mark.parametrize(
    "server",
    [one for one in SERVERS if one.preloads and one.app == "wsgi_app"],
    ids=lambda server: server.id,
)
def test_a_worker_forked_during_a_refresh_refreshes(
    server: Server, store: Emulator, relay: Relay, tmp_path: Path
) -> None:
    """Its parent has the single-flight flag, and keeps it; the worker's own is free."""
    reason = missing(server)
    if reason is not None:
        pytest.skip(reason)
    asked, go = threading.Event(), threading.Event()
    seen: list[RequestRecord] = []

    def hold(record: RequestRecord) -> None:
        if "x-hold" in record.headers and not asked.is_set():
            seen.append(record)
            # Sentinel, data and sentinel of the load; the next one is that of the refresh.
            if len(seen) == 4:
                asked.set()
                go.wait(PATIENCE)

    try:
        with (
            store.before_answer(hold),
            running(
                server,
                relay,
                tmp_path,
                APP_STORE=store.connection_string,
                APP_HOLD="yes",
                APP_REFRESHES_POLLED="yes",
            ) as served,
        ):
            assert asked.wait(PATIENCE), served.log
            served.workers(all_say("1"))
            publish(store, "2")
            served.workers(all_say("2"))
            assert not go.is_set()
            go.set()
    finally:
        go.set()
