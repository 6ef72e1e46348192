"""Requests without credentials: off by default, and what each role may do."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest

from appconfig_provider.emulator import Access, Role, Server, Store, create_app
from appconfig_provider.emulator.command import main
from appconfig_provider.testing import Emulator

from .raw import JSON, Raw, Signer


def has_ipv6() -> bool:
    """Whether this machine can listen on an address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
READS = [("GET", "/kv"), ("HEAD", "/kv"), ("GET", "/kv/k"), ("GET", "/keys"), ("GET", "/revisions")]
WRITES = [
    ("PUT", "/kv/k", b'{"value":"w"}'),
    ("DELETE", "/kv/k", b""),
    ("PUT", "/locks/k", b""),
    ("DELETE", "/locks/k", b""),
    ("PUT", "/snapshots/s?api-version=2023-11-01", b'{"filters":[{"key":"*"}]}'),
    ("PATCH", "/snapshots/s?api-version=2023-11-01", b'{"status":"archived"}'),
]


def ask(store: Emulator, method: str, target: str, body: bytes = b"") -> int:
    """The status of a request without credentials."""
    with Raw(store.endpoint) as raw:
        headers = {"host": raw.host, **JSON}
        return raw.send_unsigned(method, target, headers, body).status


@pytest.mark.parametrize(("method", "target"), READS)
def test_off_by_default(store: Emulator, method: str, target: str) -> None:
    """Without the switch a request without credentials is a 401 that does not offer this way."""
    with Raw(store.endpoint) as raw:
        reply = raw.send_unsigned(method, target, {"host": raw.host})
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "HMAC-SHA256")


@pytest.mark.parametrize("role", ["owner", "reader"])
def test_reads(role: Role) -> None:
    """Either role reads without credentials, at every endpoint of the store."""
    with Emulator(anonymous=role, replicas=1) as store:
        store.set("k", "v")
        for method, target in READS:
            assert ask(store, method, target) == 200
        with Raw(store.replicas[0].endpoint) as raw:
            assert raw.send_unsigned("GET", "/kv/k", {"host": raw.host}).json["value"] == "v"


@pytest.mark.parametrize(("method", "target", "body"), WRITES)
def test_writes(method: str, target: str, body: bytes) -> None:
    """An owner writes without credentials; a reader gets 403, as with a read-only access key."""
    with Emulator(anonymous="reader") as store:
        store.set("k", "v")
        assert ask(store, method, target, body) == 403
        kept = store.get("k")
        assert kept is not None
        assert (kept.value, kept.locked) == ("v", False)
    with Emulator(anonymous="owner") as store:
        store.set("k", "v")
        if method == "PATCH":
            store.create_snapshot("s", [("*", None)])
        assert ask(store, method, target, body) in (200, 201)


@pytest.mark.parametrize(
    ("signer", "reason"),
    [(Signer(secret="b3RoZXI="), "Invalid Signature"), (Signer(id="other"), "Invalid Credential")],
)
def test_wrong_signature(signer: Signer, reason: str) -> None:
    """Who tries a signature needs a right one; the challenge then offers to ask without any."""
    with Emulator(anonymous="owner") as store, Raw(store.endpoint) as raw:
        reply = raw.send("GET", "/kv", signer=signer)
        assert reply.status == 401
        reported = f'HMAC-SHA256 error="invalid_token", error_description="{reason}", Anonymous'
        assert reply.headers["www-authenticate"] == reported
        assert raw.send("PUT", "/kv/k", JSON, b"{}", signer=signer).status == 401


@pytest.mark.parametrize("given", ["", "Bearer abc", "Basic abc", "HMAC-SHA256", "Anonymous"])
def test_any_authorization_header_is_judged(given: str) -> None:
    """An ``Authorization`` header of any kind is not the same as none."""
    with Emulator(anonymous="owner") as store, Raw(store.endpoint) as raw:
        headers = {"host": raw.host, "authorization": given}
        assert raw.send_unsigned("GET", "/kv", headers).status == 401


def test_signatures_still_count() -> None:
    """A signed request may write where the anonymous ones may only read."""
    with Emulator(anonymous="reader") as store, Raw(store.endpoint) as raw:
        assert raw.put("/kv/k", {"value": "v"}).status == 200


def test_roles() -> None:
    """There are two roles; another word is a ValueError that names them."""
    with pytest.raises(ValueError, match="owner or reader, not 'admin'"):
        Access(anonymous="admin")  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", pytest.param("::", marks=IPV6)])
def test_owner_on_any_address(capsys: pytest.CaptureFixture[str], host: str) -> None:
    """An anonymous owner on an address of a network needs a second switch, which is named."""
    assert main(["--host", host, "--port", "0", "--anonymous", "owner"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "--anonymous-anywhere" in captured.err


@pytest.mark.parametrize("host", ["0.0.0.0", pytest.param("::", marks=IPV6)])
def test_no_server_for_everybody(host: str) -> None:
    """A server that a program makes keeps to the same rule, and leaves no socket behind."""
    access = Access(anonymous="owner")
    with closing(Store()) as store, pytest.raises(ValueError, match="--anonymous-anywhere"):
        Server(create_app(store, access), host=host, access=access)
    reader = Access(anonymous="reader")
    with closing(Store()) as store, Server(create_app(store), host=host, access=reader):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", pytest.param("::1", marks=IPV6)])
def test_owner_on_loopback(host: str) -> None:
    """On an address of loopback one switch is enough."""
    access = Access(anonymous="owner")
    with closing(Store()) as store, Server(create_app(store, access), host=host, access=access):
        pass


@pytest.mark.parametrize(
    ("anonymous", "method", "content_type", "status", "reported"),
    [
        (None, "GET", "application/json", 401, "--anonymous"),
        ("reader", "PUT", "application/json", 403, "--anonymous owner"),
        ("owner", "PUT", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
def test_who_sends_no_credentials_learns_why(
    anonymous: Role | None, method: str, content_type: str, status: int, reported: str
) -> None:
    """A refusal without body has one for who asks by hand; signed requests get the service's."""
    with Emulator(anonymous=anonymous) as store, Raw(store.endpoint) as raw:
        headers = {"host": raw.host, "content-type": content_type}
        reply = raw.send_unsigned(method, "/kv/k", headers, b"{}")
        assert reply.status == status
        assert reply.headers["content-type"] == "application/problem+json; charset=utf-8"
        assert reported in reply.json["detail"]
        headers = {"host": raw.host, "content-type": "text/plain", "authorization": "x"}
        assert raw.send_unsigned(method, "/kv/k", headers, b"{}").body == b""


@pytest.mark.parametrize("name", ["value", "content_type", "description", "tags"])
def test_a_field_of_another_type_is_explained(name: str) -> None:
    """Who writes by hand is told what a field of a setting is."""
    with Emulator(anonymous="owner") as store, Raw(store.endpoint) as raw:
        headers = {"host": raw.host, "content-type": "application/json"}
        body = json.dumps({name: 5}).encode()
        reply = raw.send_unsigned("PUT", "/kv/k?api-version=2026-04-01", headers, body)
    assert reply.status == 400
    assert reply.json["name"] == name
    assert reply.json["detail"].startswith("It is ")


@pytest.mark.parametrize("target", ["/_control", "/_control/0", "/_control/x"])
def test_no_control(target: str) -> None:
    """Without the option the place of faults says how to have it."""
    with Emulator(anonymous="owner") as store, Raw(store.endpoint) as raw:
        reply = raw.send_unsigned("PUT", target, {"host": raw.host}, b"{}")
    assert reply.status == 404
    assert "--control" in reply.json["detail"]
