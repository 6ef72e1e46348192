"""The emulator as a program: options, output, exit codes."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from appconfig_provider.emulator import Draft, Server, Store, create_app
from appconfig_provider.emulator.command import main

from .raw import Raw, Signer

FILES = ("--data", "--seed", "--ca-file", "--certificate", "--private-key")
COMMAND = (sys.executable, "-W", "error", "-m", "appconfig_provider.emulator")


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], Mapping[str, str]]]:
    """The program on a free port, with the parts of the connection string it printed."""
    # A child inherits an ignored SIGINT, which is what a background job of a shell has.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            (*COMMAND, "--port", "0", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            assert process.stdout is not None
            line, hint = process.stdout.readline(), process.stdout.readline()
            parts = dict(part.split("=", 1) for part in line.strip().split(";"))
            yield process, {**parts, "hint": hint}
        finally:
            process.kill()


def stop(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Press Ctrl-C and wait for the end."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_serves_until_interrupted(tmp_path: Path) -> None:
    """It prints a connection string that works, keeps its data file, and ends quietly with 0."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"items": [{"key": "k", "value": "v", "label": "l"}]}))
    data = tmp_path / "store.db"
    options = ("--data", str(data), "--page-size", "2")
    with running(*options, "--seed", str(seed)) as (process, parts):
        assert list(parts) == ["Endpoint", "Id", "Secret", "hint"]
        assert parts["hint"] == f"Serving 1 setting on {parts['Endpoint']}. Stop with Ctrl-C.\n"
        assert parts["Endpoint"].startswith("http://127.0.0.1:")
        signer = Signer(id=parts["Id"], secret=parts["Secret"])
        with Raw(parts["Endpoint"]) as raw:
            etag = raw.send("GET", "/kv/k?label=l", signer=signer).headers["etag"]
            assert stop(process) == (0, "", "")
    key = ("--access-key-id", "me", "--access-key-secret", "c2VjcmV0")
    with running(*options, *key) as (process, parts), Raw(parts["Endpoint"]) as raw:
        signer = Signer(id="me", secret="c2VjcmV0")
        assert raw.send("GET", "/kv/k?label=l", signer=signer).headers["etag"] == etag
        assert raw.send("GET", "/kv").status == 401
        assert stop(process)[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_sigterm_ends_it_like_ctrl_c() -> None:
    """SIGTERM, by which containers are stopped, ends it quietly, and its temporary files go."""
    with running("--tls") as (process, _):
        assert process.stdout is not None
        ca_file = Path(process.stdout.readline().removeprefix("Trust the CA certificate ").strip())
        assert ca_file.exists()
        process.terminate()
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0
        assert not ca_file.parent.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_amid_requests(tmp_path: Path, number: signal.Signals) -> None:
    """Requests that take long are dropped at the end: nothing waits for them, nothing is logged."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({f"k{each}": "v" for each in range(30_000)}))
    options = ("--anonymous", "reader", "--seed", str(seed), "--replicas", "1")
    with running(*options) as (process, parts), ExitStack() as stack:
        host, port = parts["Endpoint"].removeprefix("http://").split(":")
        for _ in range(8):
            asking = stack.enter_context(socket.create_connection((host, int(port))))
            asking.sendall(b"GET /kv?tags=a%3Db HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
        assert time.monotonic() - began < 2  # 0.1 s where nothing else runs
        assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such timer")
def test_a_wait_that_is_interrupted_ends_nothing() -> None:
    """After Ctrl-C in its wait a server is still there, and is ended by close()."""
    with closing(Store()) as data, Server(create_app(data)) as server:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                server.wait(10)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert not server.wait(0)
        with Raw(server.endpoint) as raw:
            assert raw.get("/kv").status == 200
        server.close()
        assert server.wait(0)


@pytest.mark.parametrize(
    ("address", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("0", "127.0.0.1")]
)
def test_every_address_is_reported_as_one(address: str, shown: str) -> None:
    """On every address the lines name one that can be asked, and a public key is warned of."""
    with running("--host", address, "--replicas", "1", "--control") as (process, parts):
        assert process.stdout is not None
        reported = [f"Endpoint={parts['Endpoint']}", parts["hint"]]
        reported += [process.stdout.readline() for _ in range(3)]
        assert all(f"http://{shown}:" in line for line in reported)
        if ":" not in shown:
            with Raw(parts["Endpoint"]) as raw:
                assert raw.get("/kv").status == 200
        code, _, err = stop(process)
    assert code == 0
    assert err.startswith("warning: ")
    assert "--access-key-secret" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "0.0.0.0", "--access-key-id", "me", "--access-key-secret", "c2VjcmV0"),
        ("--host", "0.0.0.0", "--anonymous", "owner", "--anonymous-anywhere"),
        ("--host", "localhost"),
    ],
)
def test_no_warning_where_none_helps(options: tuple[str, ...]) -> None:
    """A key of one's own, an owner who was asked for twice, and loopback are warned of nothing."""
    with running(*options) as (process, _):
        assert stop(process) == (0, "", "")


def test_seeds_are_read_in_order(tmp_path: Path) -> None:
    """Several seed files are all read, and the later one wins."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text('{"a": "first", "b": "first"}')
    second.write_text('{"b": "second", "c": "second"}')
    with (
        running("--seed", str(first), "--seed", str(second)) as (_, parts),
        Raw(parts["Endpoint"]) as raw,
    ):
        items = raw.get("/kv").json["items"]
    assert {item["key"]: item["value"] for item in items} == {
        "a": "first", "b": "second", "c": "second",
    }  # fmt: skip


def test_read_only_keys() -> None:
    """A read-only key is printed as a connection string of its own, and may read."""
    key = ("--read-only-key", "guest=Z3Vlc3Q=")
    with running(*key, "--replicas", "1") as (process, parts):
        assert process.stdout is not None
        shown = [parts["hint"], process.stdout.readline(), process.stdout.readline()]
        assert shown[0].startswith("Endpoint=")  # that of the replica
        assert shown[1].startswith("Serving ")
        reported = f"Read only: Endpoint={parts['Endpoint']};Id=guest;Secret=Z3Vlc3Q=\n"
        assert shown[2] == reported
        with Raw(parts["Endpoint"]) as raw:
            signer = Signer(id="guest", secret="Z3Vlc3Q=")
            assert raw.send("GET", "/kv", signer=signer).status == 200
            assert raw.send("DELETE", "/kv/k", signer=signer).status == 403


def test_anonymous_owner_on_every_address() -> None:
    """With the second switch an anonymous owner is served on an address of a network."""
    options = ("--host", "0.0.0.0", "--anonymous", "owner", "--anonymous-anywhere")
    with running(*options) as (_, parts):
        port = parts["Endpoint"].rpartition(":")[2]
        with Raw(f"http://127.0.0.1:{port}") as raw:
            headers = {"host": raw.host, "content-type": "application/json"}
            assert raw.send_unsigned("PUT", "/kv/k", headers, b"{}").status == 200


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[object, str]:
    """The exit code and the error line of a start that fails."""
    try:
        code: object = main(options)
    except SystemExit as ended:
        code = ended.code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return code, captured.err


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """A taken port is one line on stderr and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = run(capsys, "--port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port}" in line


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--seed", "nothing.json"), 2, "nothing.json"),
        (("--page-size", "0"), 2, "--page-size: '0' is not a whole number, at least 1"),
        (("--access-key-secret", "%"), 2, "not base64"),
        (("--read-only-key", "guest"), 2, "ID=SECRET"),
        (("--read-only-key", "guest=%"), 2, "not base64"),
        (("--read-only-key", "local-emulator=YQ=="), 2, "the same id"),
        (("--data", "missing/store.db"), 1, "missing/store.db"),
        (("--host", "256.1.1.1"), 1, "256.1.1.1"),
        (("--port", "70000"), 2, "--port"),
        (("--port", "http"), 2, "--port"),
        (("--colour",), 2, "--colour"),
        (("--tok", "x"), 2, "--tok"),
        (("--replicas", "-1"), 2, "--replicas"),
        *(((option, ""), 2, f"{option}: a file has a name") for option in FILES),
        (("--seed", "nothing.json", "--seed", "missing.json"), 2, "nothing.json"),
        (("--token", "x"), 2, "--token needs https: add --tls"),
        (("--anonymous-anywhere",), 2, "--anonymous-anywhere goes with --anonymous owner"),
        (("--anonymous-anywhere", "--anonymous", "reader"), 2, "--anonymous-anywhere goes with"),
        (("--ca-file", "nodir/ca.pem"), 2, "nodir/ca.pem: there is no folder nodir"),
        (("--data", "nodir/store.db"), 1, "nodir/store.db: there is no folder nodir"),
        (("--tls", "--allow-host", "\u00e4"), 2, "is not the name of a host"),
    ],
)
def test_bad_options(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    """What cannot be used is one line on stderr that names it, and a code other than 0."""
    monkeypatch.chdir(tmp_path)
    found, line = run(capsys, "--port", "0", *options)
    assert found == code
    assert text in line


def damaged(path: Path) -> Path:
    """A data file of which everything but its beginning is overwritten."""
    with closing(Store(path)) as store:
        store.load(Draft(f"k{number}", value="v" * 100) for number in range(1_000))
    content = path.read_bytes()
    path.write_bytes(content[:12_288].ljust(len(content), b"\xff"))
    return path


def without_tables(path: Path) -> Path:
    """A data file with the marks of the emulator and nothing else."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 1094936167")
        connection.execute("PRAGMA user_version = 1")
    return path


@pytest.mark.parametrize("make", [damaged, without_tables])
def test_a_data_file_that_is_damaged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """A data file that turns out damaged is one line on stderr that names it, and code 1."""
    path = make(tmp_path / "store.db")
    code, line = run(capsys, "--port", "0", "--data", str(path))
    assert code == 1
    assert f"cannot use the data file {path}: " in line


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit for the size of files")
def test_no_room_for_the_seed(tmp_path: Path) -> None:
    """A seed that does not fit on the disk is one line on stderr, code 1, and nothing is kept."""
    import resource

    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (200_000, 200_000))
    data, seed = tmp_path / "store.db", tmp_path / "seed.json"
    seed.write_text(json.dumps({f"k{number}": "v" * 1_000 for number in range(2_000)}))
    options = ("--port", "0", "--data", str(data), "--seed", str(seed))
    ended = subprocess.run(
        (*COMMAND, *options), capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: cannot use the data file {data}: ")
    assert ended.stderr.count("\n") == 1
    with closing(Store(data)) as store:
        assert store.size == 0


def test_an_error_gives_no_orders_to_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Control characters out of a seed file are shown as escapes."""
    seed = tmp_path / "seed.json"
    item = {"key": "k", "value": "v", "tags": {"\x1b[2J\u202e\nx": "t"}}
    seed.write_text(json.dumps({"items": [item]}))
    code, line = run(capsys, "--port", "0", "--seed", str(seed))
    assert code == 2
    assert r"tags.\x1b[2J\u202e\nx" in line


def test_importing_is_light() -> None:
    """Importing the package imports no web server; without one the error says what to install."""
    script = """
import sys
sys.modules["uvicorn"] = None
import appconfig_provider.emulator as emulator
assert "starlette" not in sys.modules
emulator.Store().close()
try:
    emulator.Server
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert 'pip install "appconfig-provider[emulator]"' in done.stdout
