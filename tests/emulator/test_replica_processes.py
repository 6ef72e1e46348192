"""Several endpoints from the command line, and the faults of each, set by another process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from appconfig_provider.emulator import Draft, Server, Store, create_app
from appconfig_provider.emulator.command import main
from appconfig_provider.emulator.control import Control

from .raw import JSON, Raw, Reply
from .test_process import COMMAND, run, running, stop

needs_ctrl_c = pytest.mark.skipif(
    sys.platform == "win32", reason="Ctrl-C cannot be sent to one process"
)


def control(endpoint: str, method: str = "GET", content: object = None, of: str = "") -> Reply:
    """Talk to the control route of an endpoint on a connection of its own."""
    body = b"" if content is None else json.dumps(content).encode()
    with Raw(endpoint) as raw:
        return raw.send_unsigned(method, f"/_control{of}", {"host": raw.host, **JSON}, body)


def value(endpoint: str, **headers: str) -> str | None:
    """The value of the one setting at an endpoint; None when it cannot be reached."""
    with Raw(endpoint) as raw:
        try:
            found: str = raw.get("/kv/k", **headers).json["value"]
        except ConnectionRefusedError:
            return None
        return found


@pytest.fixture
def data() -> Iterator[Store]:
    """A store with one setting."""
    with closing(Store()) as store:
        store.put(Draft("k", value="old"))
        yield store


@pytest.fixture
def endpoints(data: Store) -> Iterator[Sequence[str]]:
    """Three endpoints of it with control routes, as the program makes them."""
    controls = [Control() for _ in range(3)]
    with ExitStack() as stack:
        for each in controls:
            stack.callback(each.close)
            app = each.around(data, create_app)
            each.server = stack.enter_context(Server(app))
            each.endpoints = controls
        yield [each.server.endpoint for each in controls if each.server is not None]


def test_faults_belong_to_an_endpoint(endpoints: Sequence[str]) -> None:
    """What is set at one endpoint is met there alone, and reported there alone."""
    control(endpoints[1], "PUT", {"status": 503, "times": 1})
    with Raw(endpoints[1]) as raw:
        assert [raw.get("/kv").status for _ in range(2)] == [503, 200]
    assert [value(each) for each in endpoints] == ["old"] * 3
    assert [control(each).json["status"] for each in endpoints] == [None, 503, None]


def test_faults_of_another_endpoint(endpoints: Sequence[str]) -> None:
    """The faults of every endpoint are at every other, by its number; the first one is 0."""
    control(endpoints[2], "PUT", {"retry_after": 7}, of="/0")
    assert control(endpoints[0]).json["retry_after"] == 7
    for each in endpoints:
        assert control(each, of="/0").json["retry_after"] == 7
        assert control(each, of="/1").json["retry_after"] is None
    assert control(endpoints[1], "DELETE", of="/0").json["retry_after"] is None
    for unknown in ("/3", "/-1", "/", "/x", "/0/1", "/99999"):
        assert control(endpoints[0], of=unknown).status == 404


def test_connections_outlive_other_faults(endpoints: Sequence[str]) -> None:
    """Only an endpoint that is taken down drops its connections; other faults leave them alone."""
    with Raw(endpoints[1]) as kept:
        assert kept.get("/kv").status == 200
        for method, content in (("PUT", {"delay": 0.001}), ("DELETE", None)):
            control(endpoints[0], method, content, of="/1")
            assert kept.get("/kv").status == 200


def test_stale_and_lagging_endpoints(endpoints: Sequence[str], data: Store) -> None:
    """A stale endpoint is so for everybody, a lagging one not for who has seen a newer state."""
    control(endpoints[1], "PUT", {"stale": True})
    control(endpoints[2], "PUT", {"lag": True})
    data.put(Draft("k", value="new"))
    with Raw(endpoints[0]) as raw:
        seen = raw.get("/kv/k").headers["sync-token"].partition(";")[0]
    assert [value(each) for each in endpoints] == ["new", "old", "old"]
    assert [value(each, sync_token=seen) for each in endpoints] == ["new", "old", "new"]
    control(endpoints[2], "PUT", {"lag": True})
    assert value(endpoints[2]) == "new"
    control(endpoints[1], "DELETE")
    assert value(endpoints[1]) == "new"


def test_down_until_ended(endpoints: Sequence[str]) -> None:
    """An endpoint that was taken down refuses connections until another one is told to end it."""
    for _ in range(5):
        with Raw(endpoints[1]) as kept:
            kept.get("/kv")
            assert control(endpoints[0], "PUT", {"down": 3600}, of="/1").status == 200
            assert [value(each) for each in endpoints] == ["old", None, "old"]
            with pytest.raises(ConnectionError):
                kept.get("/kv")
        assert control(endpoints[2], "DELETE", of="/1").json["down"] == 0
        assert [value(each) for each in endpoints] == ["old"] * 3


def test_down_by_itself(endpoints: Sequence[str]) -> None:
    """An endpoint that is told to go down answers that, and nothing afterwards."""
    for each in endpoints:
        reply = control(each, "PUT", {"down": 3600})
        assert (reply.status, reply.json["down"]) == (200, 3600)
        assert reply.headers["connection"] == "close"
        assert value(each) is None
    assert [value(each) for each in endpoints] == [None] * 3


def test_down_for_a_while(endpoints: Sequence[str]) -> None:
    """An endpoint comes back when its time is over, even when it is the last one."""
    for each in endpoints:
        control(each, "PUT", {"down": 0.4})
        begin = time.monotonic()
        assert value(each) is None
        while value(each) is None:
            assert time.monotonic() - begin < 20
            time.sleep(0.01)
        assert time.monotonic() - begin > 0.1


def test_the_last_word_about_being_down(endpoints: Sequence[str]) -> None:
    """A new time replaces the one that runs: who is kept down longer does not come up early."""
    control(endpoints[0], "PUT", {"down": 0.1}, of="/1")
    control(endpoints[0], "PUT", {"down": 3600}, of="/1")
    control(endpoints[0], "PUT", {"down": 0.3}, of="/2")
    while value(endpoints[2]) is None:
        time.sleep(0.01)
    assert value(endpoints[1]) is None
    control(endpoints[0], "PUT", {"status": 503}, of="/1")
    with Raw(endpoints[1]) as raw:
        assert raw.get("/kv").status == 503


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"down": -1}, "down"),
        ({"down": True}, "down"),
        ({"lag": 1}, "lag"),
        ({"lag": True, "stale": True}, "lag"),
        ({"lag": True, "status": 503}, "lag"),
    ],
)
def test_refused_faults(endpoints: Sequence[str], content: object, name: str) -> None:
    """A fault that makes no sense is a 400 that names the member."""
    reply = control(endpoints[0], "PUT", content)
    assert (reply.status, reply.json["name"]) == (400, name)
    assert value(endpoints[0]) == "old"


def test_an_endpoint_that_cannot_go_down(data: Store) -> None:
    """An application whose server is not known refuses to be taken down."""
    with closing(Control()) as alone:
        app = alone.around(data, create_app)
        with Server(app) as server:
            assert control(server.endpoint, "PUT", {"down": 1}).json["name"] == "down"
            assert control(server.endpoint, "DELETE").status == 200


@needs_ctrl_c
def test_replicas_of_the_program() -> None:
    """It prints a connection string for each endpoint, and each can be taken down and back."""
    with running("--replicas", "1", "--control") as (process, parts):
        assert process.stdout is not None
        first = parts["Endpoint"]
        second, *rest = parts["hint"].strip().split(";")
        second = second.removeprefix("Endpoint=")
        assert int(second.rpartition(":")[2]) > 1023
        assert rest == [f"Id={parts['Id']}", f"Secret={parts['Secret']}"]
        assert [process.stdout.readline() for _ in range(3)] == [
            f"Serving 0 settings on {first} and 1 replica. Stop with Ctrl-C.\n",
            f"Set faults at {first}/_control\n",
            f"Set faults at {second}/_control\n",
        ]
        with Raw(first) as raw:
            assert raw.put("/kv/k", {"value": "v"}).status == 200
        assert value(second) == "v"
        control(second, "PUT", {"skew": 1200})
        with Raw(second) as raw:
            assert raw.get("/kv").status == 401
        assert value(first) == "v"
        assert control(first, "PUT", {"down": 3600}).status == 200
        assert value(first) is None
        assert control(second, "DELETE", of="/0").status == 200
        assert value(first) == "v"
        control(first, "PUT", {"down": 3600})
        assert stop(process) == (0, "", "")


@needs_ctrl_c
@pytest.mark.parametrize("module", ["appconfig_provider.emulator", "appconfig_provider.cli"])
def test_ports_follow_the_first(module: str) -> None:
    """Replicas are on the next ports, in both commands."""
    port = _free_ports(3)
    command = [*COMMAND[:-1], module, *(["emulator"] if module.endswith("cli") else [])]
    with subprocess.Popen(
        [*command, "--port", str(port), "--replicas", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().partition(";")[0] for _ in range(3)]
            assert lines == [f"Endpoint=http://127.0.0.1:{port + number}" for number in range(3)]
            assert process.stdout.readline().endswith(" and 2 replicas. Stop with Ctrl-C.\n")
        finally:
            process.kill()


def _free_ports(count: int) -> int:
    """The first of some ports in a row that nobody uses."""
    for first in range(20_000, 30_000, count):
        try:
            with ExitStack() as stack:
                for port in range(first, first + count):
                    stack.enter_context(closing(socket.create_server(("127.0.0.1", port))))
        except OSError:
            continue
        return first
    raise AssertionError("there are no free ports")


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """When the port of a replica is taken, the error names it and nothing is served."""
    first = _free_ports(2)
    with socket.create_server(("127.0.0.1", first + 1)):
        assert main(["--port", str(first), "--replicas", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: cannot listen on 127.0.0.1:{first + 1}: ")
    assert "another emulator? --port 0 takes a free one" in captured.err
    socket.create_server(("127.0.0.1", first)).close()


@pytest.mark.parametrize(
    ("options", "text"),
    [(("--replicas", "-1"), "replicas"), (("--port", "65535", "--replicas", "1"), "65536")],
)
def test_impossible_replicas(
    capsys: pytest.CaptureFixture[str], options: Sequence[str], text: str
) -> None:
    """A number of replicas that cannot be is one line on stderr and exit code 2."""
    code, line = run(capsys, *options)
    assert code == 2
    assert text in line
