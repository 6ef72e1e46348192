"""Errors in the service's own words: status, title, name, detail, and bodies that are empty."""

from __future__ import annotations

from contextlib import closing

import pytest

from appconfig_provider.emulator import Server, Store, create_app
from appconfig_provider.testing import Emulator, FakeClock

from .raw import JSON, Raw, Reply

ERRORS = "https://azconfig.io/errors/"


def is_empty(reply: Reply) -> bool:
    """Whether an answer has neither a body nor a type of one."""
    return reply.body == b"" and "content-type" not in reply.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_locked_setting(store: Emulator, raw: Raw, method: str) -> None:
    """A write to a locked setting is told that the key is read-only."""
    store.set("a/b", "v")
    store.lock("a/b")
    reply = raw.send(method, "/kv/a%2Fb", JSON, b"{}" if method == "PUT" else b"")
    assert reply.json == {
        "type": f"{ERRORS}key-locked",
        "title": "Modifing key 'a/b' is not allowed",
        "name": "a/b",
        "detail": "The key is read-only. To allow modification unlock it first.",
        "status": 409,
    }
    assert reply.headers["content-type"] == "application/problem+json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "target"), [("PUT", "/kv/k"), ("PUT", "/snapshots/s"), ("PATCH", "/snapshots/s")]
)
@pytest.mark.parametrize("media_type", [{}, {"content-type": "text/plain"}, JSON])
def test_a_write_without_a_body(
    raw: Raw, method: str, target: str, media_type: dict[str, str]
) -> None:
    """A write without a body is a 400, whatever it says of its type; locks need none."""
    reply = raw.send(method, target, media_type)
    assert reply.status == 400
    assert (reply.json["type"], reply.json["name"]) == (f"{ERRORS}invalid-argument", "body")
    assert raw.send("PUT", "/locks/k").status == 404


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/snapshots"),
        ("HEAD", "/snapshots"),
        ("GET", "/snapshots/s"),
        ("PUT", "/snapshots/s"),
        ("PATCH", "/snapshots/s"),
        ("GET", "/operations?snapshot=s"),
        ("GET", "/kv?snapshot=s"),
    ],
)
def test_versions_before_snapshots(raw: Raw, method: str, target: str) -> None:
    """API version 1.0 has no snapshots, wherever they are asked for; its first preview has."""
    separator = "&" if "?" in target else "?"
    reply = raw.send(
        method, f"{target}{separator}api-version=1.0", JSON, b"{}" * (method[0] == "P")
    )
    assert reply.status == 400
    if method != "HEAD":
        assert reply.json["type"] == f"{ERRORS}invalid-argument"
        assert (reply.json["name"], reply.json["title"]) == (
            "api-version",
            "Unsupported API version",
        )
    if method == "GET":
        known = raw.get(f"{target}{separator}api-version=2022-11-01-preview")
        assert known.status in (200, 404)


def test_a_snapshot_that_failed(store: Emulator, raw: Raw) -> None:
    """A snapshot that failed can be neither archived nor recovered, in the service's words."""
    store.set_many({f"k{number}": "x" * 10_000 for number in range(106)})
    assert store.create_snapshot("s", [("*", None)]).status == "failed"
    for status in ("archived", "ready"):
        reply = raw.send("PATCH", "/snapshots/s", JSON, b'{"status":"%s"}' % status.encode())
        assert reply.json == {
            "type": f"{ERRORS}invalid-state",
            "title": "Target resource state invalid.",
            "detail": "The target resource is not in a valid state to perform the requested "
            "operation.",
            "status": 409,
        }


def test_last_modified_of_a_snapshot(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """To archive a snapshot and to recover it leaves its Last-Modified, and moves its ETag."""
    store.set("k", "v")
    store.create_snapshot("s", [("*", None)])
    before = raw.get("/snapshots/s").headers
    for status in (b"archived", b"ready"):
        clock.advance(10)
        changed = raw.send("PATCH", "/snapshots/s", JSON, b'{"status":"%s"}' % status).headers
        assert changed["last-modified"] == before["last-modified"]
        assert changed["etag"] != before["etag"]
        assert raw.get("/snapshots/s").headers["last-modified"] == before["last-modified"]


def test_empty_answers(store: Emulator, raw: Raw) -> None:
    """An answer that is only a status has no body and no type of one."""
    etag = f'"{store.set("k", "v").etag}"'
    answers = {
        raw.get("/kv/k", if_none_match=etag).status: raw.get("/kv/k", if_none_match=etag),
        401: raw.send_unsigned("GET", "/kv", {"host": raw.host, "authorization": "x"}),
        404: raw.get("/kv/none"),
        405: raw.send("POST", "/kv/k"),
        412: raw.get("/kv/k", if_match='"other"'),
        204: raw.send("DELETE", "/kv/none"),
        416: raw.get("/revisions", range="items=7-9"),
    }
    assert {status: reply.status for status, reply in answers.items()} == {
        status: status for status in (304, 401, 404, 405, 412, 204, 416)
    }
    assert all(is_empty(reply) for reply in answers.values())
    for target in ("/nothing", "/snapshots/none", "/operations?snapshot=none", "/locks"):
        reply = raw.get(target)
        assert (reply.status, is_empty(reply)) == (404, True)


@pytest.mark.parametrize("target", ["/snapshots/", "/snapshots/%FF"])
def test_the_name_of_a_snapshot(raw: Raw, target: str) -> None:
    """A snapshot without a name, or with one that is no text, has its name blamed."""
    reply = raw.get(target)
    assert (reply.status, reply.json["name"]) == (400, "name")
    assert raw.get(target.replace("snapshots", "kv")).json["name"] == "key"


@pytest.mark.parametrize("tags", [b"false", b"0", b'""', b"[1]"])
def test_tags_that_are_no_object(raw: Raw, tags: bytes) -> None:
    """Tags are an object; null and an empty list stand for none."""
    reply = raw.send("PUT", "/kv/k", JSON, b'{"tags":%s}' % tags)
    assert (reply.status, reply.json["name"]) == (400, "tags")
    for none in (b"null", b"[]", b"{}"):
        assert raw.send("PUT", "/kv/k", JSON, b'{"tags":%s}' % none).json["tags"] == {}


def test_a_failure_of_the_emulator_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A 500 is a problem, too, with the headers of every answer."""

    def broken(*_: object) -> None:
        raise LookupError("on purpose")

    with closing(Store()) as data, Server(create_app(data)) as server, Raw(server.endpoint) as raw:
        monkeypatch.setattr(data, "at", broken)
        reply = raw.get("/kv/k")
    assert (reply.status, reply.json["type"]) == (500, f"{ERRORS}server-error")
    assert {"date", "sync-token", "x-ms-request-id"} <= set(reply.headers)
    assert "on purpose" in caplog.text
