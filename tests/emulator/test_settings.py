"""One setting: reading, writing, deleting, conditions, versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from appconfig_provider.testing import Emulator

from .raw import JSON, Raw


def test_shape(raw: Raw) -> None:
    """A stored setting has the service's fields, an ETag, a moment and a Sync-Token."""
    content = {"value": "v", "content_type": "text/plain", "tags": {"t": None}, "description": "d"}
    reply = raw.put("/kv/app%3Acolor?label=dev", content)
    item = reply.json
    moment = datetime.fromisoformat(item["last_modified"])
    assert item == {
        "etag": reply.headers["etag"].strip('"'),
        "key": "app:color",
        "label": "dev",
        "content_type": "text/plain",
        "value": "v",
        "tags": {"t": None},
        "description": "d",
        "locked": False,
        "last_modified": moment.isoformat(timespec="seconds"),
    }
    assert item["last_modified"].endswith("+00:00")
    kind = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8"
    assert reply.headers["content-type"] == kind
    assert reply.headers["last-modified"] == moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert reply.headers["sync-token"] == "kv=MQ==;sn=1"
    assert raw.get("/kv/app:color?label=dev").json == item


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/kv/a%2Fb", "a/b"),
        ("/kv/a%2fb", "a/b"),
        ("/kv/a/b", "a/b"),
        ("/kv/a//b/", "a//b/"),
        ("/kv/a%20b", "a b"),
        ("/kv/a+b", "a+b"),
        ("/kv/%C3%BC*,%5C", "ü*,\\"),
        ("/kv/...", "..."),
        ("/kv/kv/kv", "kv/kv"),
    ],
)
def test_keys_in_paths(raw: Raw, store: Emulator, target: str, key: str) -> None:
    """A key in a path is decoded once, slashes raw or encoded."""
    assert raw.put(target, {"value": "v"}).json["key"] == key
    assert store.get(key) is not None
    assert raw.get(target).status == 200
    assert raw.send("DELETE", target).status == 200
    assert raw.get(target).status == 404


@pytest.mark.parametrize("query", ["", "?label=", "?label=%00", "?LABEL="])
def test_no_label(raw: Raw, store: Emulator, query: str) -> None:
    """An absent, empty or NUL label is "no label"."""
    store.set("k", "none")
    store.set("k", "x", "x")
    assert raw.get(f"/kv/k{query}").json["value"] == "none"


def test_labels_are_literal(raw: Raw, store: Emulator) -> None:
    """The label of one setting is taken as it is, without wildcards or escapes."""
    store.set("k", "v", "a*,\\")
    assert raw.get("/kv/k?label=a*%2C%5C").status == 200
    assert raw.get("/kv/k?label=a*").status == 404


def test_writing_replaces(raw: Raw, store: Emulator) -> None:
    """A write replaces everything; what is left out becomes null or empty."""
    store.set("k", "v", content_type="c", tags={"a": "b"})
    item = raw.put("/kv/k", {"key": "other", "label": "x", "locked": True}).json
    assert [item[name] for name in ("key", "label", "value", "content_type", "tags")] == [
        "k",
        None,
        None,
        None,
        {},
    ]


def test_an_equal_write_changes_nothing(raw: Raw) -> None:
    """Writing what is there already returns it as it was, tags in any order."""
    content: dict[str, Any] = {"value": "v", "tags": {"a": "1", "b": "2"}, "description": "d"}
    first = raw.put("/kv/k", content)
    second = raw.put("/kv/k", {**content, "tags": {"b": "2", "a": "1"}})
    assert second.json == first.json
    assert second.headers["sync-token"] == first.headers["sync-token"]
    assert raw.put("/kv/k", {**content, "tags": {}}).json["etag"] != first.json["etag"]


def test_deleting(raw: Raw, store: Emulator) -> None:
    """A delete answers with what was there, or 204 without body."""
    stored = store.set("k", "v")
    reply = raw.send("DELETE", "/kv/k")
    assert (reply.status, reply.json["etag"]) == (200, stored.etag)
    reply = raw.send("DELETE", "/kv/k")
    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize(
    ("method", "headers", "present", "missing"),
    [
        ("GET", {"if-match": "E"}, 200, 404),
        ("GET", {"if-match": '"x"'}, 412, 404),
        ("GET", {"if-match": "*"}, 200, 404),
        ("GET", {"if-none-match": "E"}, 304, 404),
        ("GET", {"if-none-match": "W/E"}, 304, 404),
        ("GET", {"if-none-match": 'E, "x"'}, 304, 404),
        ("GET", {"if-none-match": "*"}, 304, 404),
        ("GET", {"if-none-match": '"*"'}, 304, 404),
        ("GET", {"if-none-match": '"x"'}, 200, 404),
        ("GET", {"if-none-match": "bare"}, 200, 404),
        ("GET", {"if-match": "E", "if-none-match": "E"}, 200, 404),
        ("HEAD", {"if-none-match": "E"}, 304, 404),
        ("PUT", {"if-match": "E"}, 200, 412),
        ("PUT", {"if-match": '"x"'}, 412, 412),
        ("PUT", {"if-match": "*"}, 200, 412),
        ("PUT", {"if-match": "bare"}, 200, 200),
        ("PUT", {"if-none-match": "*"}, 412, 200),
        ("PUT", {"if-none-match": '"*"'}, 412, 200),
        ("PUT", {"if-none-match": "E"}, 412, 200),
        ("PUT", {"if-none-match": '"x"'}, 200, 200),
        ("DELETE", {"if-match": "E"}, 200, 412),
        ("DELETE", {"if-match": '"x"'}, 412, 412),
        ("DELETE", {"if-match": "*"}, 200, 412),
        ("DELETE", {"if-none-match": "*"}, 412, 204),
    ],
)
def test_conditions(
    raw: Raw, store: Emulator, method: str, headers: dict[str, str], present: int, missing: int
) -> None:
    """Each condition on each method, for a setting that is there and for one that is not."""
    etag = f'"{store.set("k", "v").etag}"'
    sent = {name: value.replace("E", etag) for name, value in headers.items()}
    body = b'{"value":"new"}' if method == "PUT" else b""
    assert raw.send(method, "/kv/gone", {**JSON, **sent}, body).status == missing
    reply = raw.send(method, "/kv/k", {**JSON, **sent}, body)
    assert reply.status == present
    assert present not in (304, 412) or reply.body == b""
    kept = store.get("k")
    changed = present == 200 and method in ("PUT", "DELETE")
    assert (kept is None or kept.value != "v") == changed


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("$select=key,value", {"key", "value"}),
        ("%24Select=KEY%2CLocked", {"key", "locked"}),
        ("fields=etag", {"etag"}),
        ("$select=nothing", set()),
        ("$select=description&api-version=2024-09-01", set()),
    ],
)
def test_select(raw: Raw, store: Emulator, query: str, names: set[str]) -> None:
    """``$select`` names fields in any case; unknown ones are ignored; headers stay."""
    store.set("k", "v")
    reply = raw.get(f"/kv/k?{query}")
    assert set(reply.json) == names
    assert "etag" in reply.headers
    assert set(raw.get(f"/kv?{query}").json["items"][0]) == names


@pytest.mark.parametrize("select", ["", "*"])
def test_select_everything(raw: Raw, store: Emulator, select: str) -> None:
    """An empty ``$select`` and a star are all fields."""
    store.set("k", "v")
    assert len(raw.get(f"/kv/k?$select={select}").json) == 9


def test_tag_filters_on_one_setting(raw: Raw, store: Emulator) -> None:
    """A setting whose tags do not match is not there, from the version on that knows this."""
    store.set("k", "v", tags={"a": "b"})
    assert raw.get("/kv/k?tags=a%3Db").status == 200
    assert raw.get("/kv/k?tags=a%3Dc").status == 404
    assert raw.get("/kv/k?tags=a").status == 400
    assert raw.get("/kv/k?tags=a%3Dc&api-version=2023-11-01").status == 200


@pytest.mark.parametrize(
    ("query", "status", "title"),
    [
        ("", 200, None),
        ("api-version=", 200, None),
        ("api-version=1.0", 200, None),
        ("api-version=2022-11-01-preview", 200, None),
        ("api-version=2023-10-01", 200, None),
        ("api-version=2023-11-01", 200, None),
        ("api-version=2024-09-01", 200, None),
        ("API-Version=2026-04-01", 200, None),
        ("api-version=2026-05-01-preview", 200, None),
        ("api-version=2031-01-31", 200, None),
        ("api-version=1.0&api-version=1.0", 200, None),
        ("api-version=1.0&api-version=2023-10-01", 400, "Ambiguous API version"),
        ("api-version=2023-12-01", 400, "Unsupported API version"),
        ("api-version=2019-01-01", 400, "Unsupported API version"),
        ("api-version=2027-13-01", 400, "Invalid API version"),
        ("api-version=abc", 400, "Invalid API version"),
        ("api-version=%00", 400, "Invalid API version"),
    ],
)
def test_versions(raw: Raw, query: str, status: int, title: str | None) -> None:
    """The versions of the API and later dates are served; others are a 400 told to anybody."""
    reply = raw.send_unsigned("GET", f"/kv?{query}", {"host": raw.host})
    assert reply.status == (401 if status == 200 else 400)
    assert raw.get(f"/kv?{query}").status == status
    if title is not None:
        problem = reply.json
        assert (problem["title"], problem["name"], problem["status"]) == (title, "api-version", 400)


def test_description_needs_its_version(raw: Raw) -> None:
    """Versions before descriptions neither store nor show them."""
    item = raw.put("/kv/k?api-version=2024-09-01", {"value": "v", "description": "d"}).json
    assert "description" not in item
    assert raw.get("/kv/k").json["description"] is None


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/kv"), ("PUT", "/kv"), ("POST", "/kv/k"), ("PATCH", "/kv/k"), ("DELETE", "/keys")],
)
def test_wrong_method(raw: Raw, method: str, target: str) -> None:
    """A method a resource does not have is a 405 without body, even unsigned."""
    reply = raw.send_unsigned(method, target, {"host": raw.host})
    assert (reply.status, reply.body) == (405, b"")
    assert "sync-token" in reply.headers


@pytest.mark.parametrize("target", ["/", "/nothing", "/keys/", "/labels/x", "/kvx", "//kv"])
def test_unknown_path(raw: Raw, target: str) -> None:
    """An unknown path is a 404, without a redirect."""
    reply = raw.get(target)
    assert (reply.status, reply.body) == (404, b"")
    assert "sync-token" in reply.headers


def test_unrestricted_values(raw: Raw) -> None:
    """A value may hold any characters, control characters too."""
    value = "\0\n\t\x7f 'quoted' \"--; DROP TABLE settings é \U0001f600"
    assert raw.put("/kv/k", {"value": value}).json["value"] == value
    assert raw.get("/kv/k").json["value"] == value


def test_request_ids(raw: Raw) -> None:
    """A request id is made up, a correlation id echoed, the client's id only when asked for."""
    sent = {"x-ms-client-request-id": "c", "x-ms-correlation-request-id": "r"}
    reply = raw.send("GET", "/kv", sent)
    assert reply.headers["x-ms-request-id"]
    assert reply.headers["x-ms-correlation-request-id"] == "r"
    assert "x-ms-client-request-id" not in reply.headers
    reply = raw.send("GET", "/kv", {**sent, "x-ms-return-client-request-id": "true"})
    assert reply.headers["x-ms-client-request-id"] == "c"


def test_sync_token_grows_by_mutation(raw: Raw, store: Emulator) -> None:
    """The Sync-Token moves with every change and with nothing else."""
    store.set("k", "1")
    store.set("k", "1")
    store.set("k", "2")
    store.delete("k")
    store.delete("k")
    assert raw.get("/kv/gone").headers["sync-token"] == "kv=Mw==;sn=3"
