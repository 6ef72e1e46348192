"""What may be stored: names, fields, bodies, sizes."""

from __future__ import annotations

import json

import pytest

from appconfig_provider.testing import Emulator, Vault

from .raw import JSON, Raw
from .test_hosts import answer, asking


@pytest.mark.parametrize(
    ("target", "content", "name"),
    [
        ("/kv/", {"value": "v"}, "key"),
        ("/kv/.", {"value": "v"}, "key"),
        ("/kv/%2E.", {"value": "v"}, "key"),
        ("/kv/a%25b", {"value": "v"}, "key"),
        ("/kv/a%0Ab", {"value": "v"}, "key"),
        ("/kv/a%0A", {"value": "v"}, "key"),
        ("/kv/a%C2%85", {"value": "v"}, "key"),
        ("/kv/%FF", {"value": "v"}, "key"),
        ("/kv/" + "k" * 257, {"value": "v"}, "key"),
        ("/kv/" + "%F0%9F%98%80" * 129, {"value": "v"}, "key"),
        ("/kv/k?label=a%1F", {"value": "v"}, "label"),
        ("/kv/k?label=" + "l" * 257, {"value": "v"}, "label"),
        ("/kv/k?label=%ff", {"value": "v"}, "label"),
        ("/kv/k", {"value": 1}, "value"),
        ("/kv/k", {"value": {"a": 1}}, "value"),
        ("/kv/k", {"value": "\ud800"}, "value"),
        ("/kv/k", {"content_type": ["x"]}, "content_type"),
        ("/kv/k", {"content_type": "a\tb"}, "content_type"),
        ("/kv/k", {"description": False}, "description"),
        ("/kv/k", {"tags": ["a"]}, "tags"),
        ("/kv/k", {"tags": {"a": 1}}, "tags.a"),
        ("/kv/k", {"tags": {"": "x"}}, "tags."),
        ("/kv/k", {"tags": {"a": "x\n"}}, "tags.a"),
        ("/kv/k", {"tags": {"a": "x" * 257}}, "tags.a"),
        ("/kv/k", {"tags": {"\ud800": "x"}}, "tags.\ud800"),
        ("/kv/k", {"tags": {"\ud800": 1}}, "tags.\ud800"),
        ("/kv/k", [1], "body"),
        ("/kv/k", None, "body"),
        ("/kv/k", "text", "body"),
    ],
)
def test_bad_writes(raw: Raw, store: Emulator, target: str, content: object, name: str) -> None:
    """A write the service would refuse is a 400 that names the field; nothing is stored."""
    reply = raw.put(target, content)
    assert (reply.status, reply.json["name"]) == (400, name)
    assert raw.get("/kv").keys == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 10_000, b'{"value":' + b"9" * 5000 + b"}"]
)
def test_bodies_that_are_not_json(raw: Raw, body: bytes) -> None:
    """A body that is missing, broken, nested too deeply or no text is a 400."""
    assert raw.send("PUT", "/kv/k", JSON, body).status == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/vnd.microsoft.appconfig.kv+json", 200),
        ("application/anything+json", 200),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_content_types(raw: Raw, content_type: str, status: int) -> None:
    """JSON in any of its media types is accepted, anything else is a 415."""
    headers = {"content-type": content_type}
    assert raw.send("PUT", "/kv/k", headers, b'{"value":"v"}').status == status


def test_sizes(raw: Raw, store: Emulator) -> None:
    """Ten KB with everything is the limit; above it is a 413 and the connection goes on."""
    assert raw.put("/kv/k", {"value": "x" * 10_200}).status == 200
    assert raw.put("/kv/" + "k" * 100, {"value": "x" * 10_200}).status == 413
    assert raw.put("/kv/k", {"value": "x" * 10_230}).status == 413
    assert raw.put("/kv/k", {"value": "x" * 5_000_000}).status == 413
    kept = store.get("k")
    assert kept is not None
    assert kept.value == "x" * 10_200
    with pytest.raises(ValueError, match="10240"):
        store.set("k", "ü" * 5121)


def test_chunked_bodies(raw: Raw) -> None:
    """A body in chunks is read like any other, and no further than the limit."""
    for size, status in ((100, 200), (11_000, 413)):
        body = json.dumps({"value": "x" * size}).encode()
        assert raw.send_chunked("PUT", "/kv/k", body).status == status


LONG = "/kv?key=" + "k" * 8_185
MANY = "a: b\r\n" * 99
#: Requests that are too long, beginning with one that is not.
HEADS = [
    (asking("localhost", target=LONG[:-1]), 401),
    (asking("localhost", target=LONG), 414),
    (asking("localhost", method="PUT", target="/_control?" + LONG), 414),
    (asking("localhost", more=MANY[6:]), 401),
    (asking("localhost", more=MANY), 431),
    (asking("localhost", more=MANY * 300), 431),
    (asking("localhost", more="a: " + "b" * 40_000 + "\r\n"), 431),
]


@pytest.mark.parametrize(("request_text", "status"), HEADS)
@pytest.mark.parametrize("tls", [False, True])
def test_heads(request_text: str, status: int, tls: bool) -> None:
    """A target longer than 8 KB, a hundred headers or 32 KB of them are refused before they count.

    A head that is far too large is malformed when it does not come all at once.
    """
    statuses = (status,) if status != 431 else (431, 400)
    with Emulator(tls=tls, replicas=1) as store:
        for endpoint in (store.endpoint, store.replicas[0].endpoint):
            assert answer(endpoint, request_text, store.ca_file)[0] in statuses
        assert len(store.requests) == (status == 401)


def test_heads_for_a_vault() -> None:
    """The limits of a head are those of a vault, too."""
    with Vault() as vault:
        target = "/secrets/" + "x" * 8_200
        assert answer(vault.url, asking("localhost", target=target), vault.ca_file)[0] == 414
        assert answer(vault.url, asking("localhost", more=MANY), vault.ca_file)[0] == 431
