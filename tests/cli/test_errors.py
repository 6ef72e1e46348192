"""What the command says when something is wrong: one line, no traceback, no secret."""

from __future__ import annotations

import base64
import socket
from contextlib import closing
from pathlib import Path

import pytest

from appconfig_provider.cli import commands
from appconfig_provider.cli.commands import VARIABLES
from appconfig_provider.emulator import Server, Store, create_app
from appconfig_provider.emulator.tls import kept_certificate
from appconfig_provider.testing import Emulator, Scripted

from .conftest import Run

SECRET = base64.b64encode(b"a very secret thing").decode()
COMMANDS = [("get", "key"), ("set", "key", "value"), ("list",), ("list", "--json")]


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("arguments", COMMANDS)
def test_wrong_key(bare: Run, store: Emulator, arguments: tuple[str, ...]) -> None:
    """A refused access key ends in one line that says where to look and keeps the key secret."""
    text = f"Endpoint={store.endpoint};Id=local-emulator;Secret={SECRET}"
    result = bare(*arguments, env={VARIABLES[0]: text})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert "answered 401" in result.stderr
    assert result.stderr.count("\n") == 1
    assert SECRET not in result.output


@pytest.mark.parametrize(
    "text",
    [
        f"Secret={SECRET}",
        f"Endpoint=nowhere;Id=x;Secret={SECRET}",
        f"Endpoint=https://x.azconfig.io;Id=x;Secret=%{SECRET}",
        SECRET,
    ],
)
def test_bad_connection_string(bare: Run, text: str) -> None:
    """A connection string that is none is explained without repeating its secret."""
    result = bare("list", "--connection-string", text)
    assert result.exit_code == 1
    assert "connection_string" in result.stderr
    assert SECRET not in result.output


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nobody_there(bare: Run, arguments: tuple[str, ...]) -> None:
    """A named store that cannot be reached is named in the error."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    result = bare(*arguments, env={VARIABLES[0]: f"Endpoint={endpoint};Id=x;Secret={SECRET}"})
    assert result.exit_code == 1
    assert endpoint in result.stderr
    assert "no connection" in result.stderr


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_store_at_all(
    bare: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Without a store the error tells how to name one and how to start one."""
    monkeypatch.setattr(commands, "LOCAL_PORT", free_port())
    result = bare(*arguments)
    assert result.exit_code == 1
    assert VARIABLES[0] in result.stderr
    assert "appconfig emulator" in result.stderr


def test_local_store_is_found(bare: Run, monkeypatch: pytest.MonkeyPatch, store: Emulator) -> None:
    """Without a name the store is the one that `appconfig emulator` runs."""
    monkeypatch.setattr(commands, "LOCAL_PORT", int(store.endpoint.rpartition(":")[2]))
    assert bare("set", "key", "value").exit_code == 0
    assert bare("get", "key").stdout == "value\n"


@pytest.mark.parametrize(("status", "hint"), [(403, "read-write"), (409, "unlock"), (413, "large")])
def test_refused_write(run: Run, store: Emulator, status: int, hint: str) -> None:
    """A write that the store refuses ends with its reason and what to do."""
    body = '{"title": "too large"}'
    with store.respond(
        lambda request: Scripted(status, body=body) if request.method == "PUT" else None
    ):
        result = run("set", "key", "value")
    assert result.exit_code == 1
    assert f"answered {status} to PUT" in result.stderr
    assert hint in result.stderr


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", '"x"', "{}", '{"items": [{"key": "k", "etag": "e", "value": 1}]}']
)
@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_store_but_something(
    run: Run, store: Emulator, arguments: tuple[str, ...], body: str
) -> None:
    """An answer that is no setting ends in one line, not in a traceback."""
    with store.respond(lambda _: Scripted(200, body=body)):
        result = run(*arguments)
    assert result.exit_code == 1
    assert "holds no settings; check the endpoint" in result.stderr


def test_listing_in_circles(run: Run, store: Emulator) -> None:
    """A listing that leads back to itself is given up."""
    store.set("key", "value")
    body = '{"items": [], "@nextLink": "/kv?x=1"}'
    with store.respond(lambda _: Scripted(200, body=body)):
        result = run("list")
    assert result.exit_code == 1
    assert "leads back to itself" in result.stderr


@pytest.mark.parametrize("arguments", [("get",), ("set", "key"), ("nonsense",), ("set", "k", "-1")])
def test_usage(run: Run, arguments: tuple[str, ...]) -> None:
    """Arguments that make no command end with 2 and point to --help."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert "--help" in result.stderr


def test_dashes(run: Run, store: Emulator) -> None:
    """A value that begins with a dash comes after two of them."""
    assert run("set", "offset", "--", "-1").exit_code == 0
    written = store.get("offset")
    assert written is not None
    assert written.value == "-1"


@pytest.mark.parametrize(
    ("endpoint", "identity", "arguments"),
    [
        ("{}", "ü", ("list",)),
        ("http://bücher.example", "x", ("list",)),
        ("{}", "local-emulator", ("get", "\udce4")),
    ],
)
def test_text_that_cannot_be_sent(
    bare: Run, store: Emulator, endpoint: str, identity: str, arguments: tuple[str, ...]
) -> None:
    """Letters that no request can carry, or bytes that are no text, end in one line."""
    text = f"Endpoint={endpoint.format(store.endpoint)};Id={identity};Secret={SECRET}"
    result = bare(*arguments, "--connection-string", text)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "connection" in result.stderr or "cannot be sent" in result.stderr
    assert SECRET not in result.output


def test_a_filter_that_is_no_text(run: Run) -> None:
    """A filter with bytes that are no text is a mistake of the command line, in plain text."""
    result = run("list", "--key", "\udce4")
    assert result.exit_code == 2
    assert result.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--seed", "missing.json"), 2, "missing.json"),
        (("--port", "70000"), 2, "--port"),
        (("--page-size", "0"), 2, "--page-size"),
        (("--data", "missing/folder/data.db"), 1, "data.db"),
    ],
)
def test_emulator_cannot_start(
    bare: Run, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    """What keeps the emulator from starting is reported, and decides about the exit code."""
    result = bare("emulator", "--port", "0", *arguments)
    assert result.exit_code == code
    assert complaint in result.stderr


def test_taken_port(bare: Run) -> None:
    """A port that somebody else has is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = bare("emulator", "--port", port)
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize("arguments", [*COMMANDS, ("delete", "key")])
def test_a_host_that_is_not_served(bare: Run, store: Emulator, arguments: tuple[str, ...]) -> None:
    """A refused host is reported in the words of the emulator, and no role or key is advised."""
    text = f"Endpoint=http://evil.test;Id=local-emulator;Secret={SECRET}"
    # The name leads to the store through a proxy, as it would through a hosts file.
    result = bare(*arguments, env={VARIABLES[0]: text, "HTTP_PROXY": store.endpoint})
    assert result.exit_code == 1
    assert "answered 403" in result.stderr
    assert "'evil.test'" in result.stderr
    assert "--allow-host NAME adds one." in result.stderr
    assert "role" not in result.stderr
    assert "access key" not in result.stderr


@pytest.mark.parametrize("arguments", [*COMMANDS, ("delete", "key")])
@pytest.mark.parametrize("given", [False, True])
def test_a_certificate_of_an_unknown_issuer(
    bare: Run, tmp_path: Path, arguments: tuple[str, ...], given: bool
) -> None:
    """Without the CA file, or with that of another, the option is named."""
    another = tmp_path / "ca.pem"
    kept_certificate(another)
    with Emulator(tls=True) as store:
        env = {VARIABLES[0]: store.connection_string}
        result = bare(*arguments, *(("--ca-file", str(another)) if given else ()), env=env)
    assert result.exit_code == 1
    assert "name the CA file that signed it by --ca-file" in result.stderr
    assert "verify=" not in result.stderr


@pytest.mark.parametrize("arguments", [*COMMANDS, ("delete", "key")])
def test_a_certificate_of_another_name(
    bare: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A certificate that is trusted but not for this address: no CA file is advised."""
    shown = kept_certificate(tmp_path / "ca.pem")
    with (
        closing(Store()) as data,
        Server(create_app(data), host="127.0.0.2", certificate=shown) as server,
    ):
        text = f"Endpoint={server.endpoint};Id=local-emulator;Secret={SECRET}"
        ca_file = ("--ca-file", str(shown.ca_file))
        result = bare(*arguments, *ca_file, env={VARIABLES[0]: text})
    assert result.exit_code == 1
    assert "127.0.0.2" in result.stderr
    assert "use a name that the certificate holds" in result.stderr
    assert "--allow-host" in result.stderr
    assert "--ca-file" not in result.stderr


@pytest.mark.parametrize("key", ["", ".", "..", "a%b", "%"])
@pytest.mark.parametrize("command", ["get", "set", "delete", "lock", "unlock"])
def test_a_key_that_no_store_takes(run: Run, store: Emulator, command: str, key: str) -> None:
    """A key that cannot be is reported before anything is sent."""
    result = run(command, key, *(("value",) if command == "set" else ()))
    assert result.exit_code == 2
    assert "a key is not empty, is not '.' or '..', and has no '%'" in result.stderr
    assert not store.requests


def test_another_key_that_the_store_refuses(run: Run) -> None:
    """What the store says of a key is reported, without words about keys that nobody watches."""
    result = run("set", "x" * 300, "value")
    assert result.exit_code == 1
    assert "answered 400" in result.stderr
    assert "watched" not in result.stderr


def test_a_locked_setting(run: Run, store: Emulator) -> None:
    """A write to a locked setting names the command that unlocks it, and that command does."""
    store.set("k", "old", "l")
    assert run("lock", "k", "--label", "l").output.startswith("Locked setting 'k' with label 'l'")
    for command in (("set", "k", "new"), ("delete", "k")):
        result = run(*command, "--label", "l")
        assert result.exit_code == 1
        assert "unlock it first: appconfig unlock KEY" in result.stderr
    assert run("unlock", "k", "--label", "l").exit_code == 0
    assert run("set", "k", "new", "--label", "l").exit_code == 0
    for command in (("lock", "absent"), ("unlock", "k")):
        result = run(*command)
        assert result.exit_code == 1
        assert "The store has no setting" in result.stderr


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8490", "localhost:8490", "name.azconfig.io"])
def test_an_endpoint_without_a_scheme(bare: Run, endpoint: str) -> None:
    """An endpoint begins with a scheme, and the error names both."""
    result = bare("list", env={VARIABLES[0]: f"Endpoint={endpoint};Id=x;Secret={SECRET}"})
    assert result.exit_code == 1
    assert "begins with https:// or, on this machine, http://" in result.stderr
