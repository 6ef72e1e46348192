"""Whatever is sent: an answer below 500, and nothing stored that was not asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import timezone
from email.utils import format_datetime
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appconfig_provider.testing import Emulator

from .raw import JSON, Raw, Signer
from .test_listings import pages

# One store for all examples, and no limit of time: the machine may be busy.
SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RESOURCES = "/kv /kv/ /kv/k /keys /labels / kv * http://x/kv /revisions /locks/ /locks/k /snapshots"
MORE_RESOURCES = "/snapshots/ /snapshots/s /operations /operations/ /_control"
PARAMETERS = "?key= ?label= ?tags= ?after= ?$select= ?name= ?a&= ?snapshot= ?status="
TARGETS = st.tuples(
    st.sampled_from(RESOURCES.split() + MORE_RESOURCES.split()),
    st.text(alphabet="%2FafkAB0/?&=*,\\.;:+-_~$'\"<>#[]|", max_size=12),
    st.sampled_from(["", *PARAMETERS.split()]),
    st.text(alphabet="%2FaCe0/?&=*,\\.;:+-_~$'\"<>#[]|", max_size=12),
).map("".join)
VALUES = st.text(alphabet="\"'*,W/ aé=;%\\\t", max_size=12)
HEADERS = "If-Match If-None-Match Sync-Token Accept Content-Type Accept-Datetime Range"
BODIES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b'{"value":"v"}', b'{"tags":{"":1}}', b"null", b'{"value":"\\ud800"}']),
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    """One store for every example."""
    with Emulator() as emulator:
        yield emulator


def exchange(store: Emulator, request: bytes) -> int:
    """Send bytes on a new connection and read the status of the answer."""
    host, _, port = store.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1])


@settings(SHARED, max_examples=300)
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"]),
    TARGETS,
    st.dictionaries(
        st.sampled_from(HEADERS.split()),
        VALUES,
    ),
    BODIES,
)
def test_signed_requests(
    shared: Emulator, method: str, target: str, headers: dict[str, str], body: bytes
) -> None:
    """A signed request with any target, headers and body gets an answer below 500."""
    host = shared.endpoint.removeprefix("http://")
    signed = Signer().sign(method, target, host, body)
    content = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {value.strip()}" for name, value in {**signed, **content}.items()]
    request = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    shared.clear_requests()
    status = exchange(shared, request)
    assert status < 500
    if status >= 400:
        assert not [r for r in shared.requests[-1:] if r.status == 200]


TEXTS = st.one_of(
    st.none(), st.text(max_size=5), st.sampled_from(["*", "a*", "a,b", "\0", "\ud800"])
)
ODD = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.lists(TEXTS, max_size=2))
FILTERS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"key": st.one_of(TEXTS, ODD)},
            optional={"label": st.one_of(TEXTS, ODD), "tags": st.lists(TEXTS, max_size=2)},
        ),
        ODD,
    ),
    max_size=4,
)
SNAPSHOTS = st.fixed_dictionaries(
    {"filters": st.one_of(FILTERS, ODD)},
    optional={
        "composition_type": st.sampled_from(["key", "key_label", "x", 1]),
        "retention_period": st.one_of(st.integers(3599, 3601), ODD),
        "tags": st.one_of(st.dictionaries(TEXTS.filter(bool), st.one_of(TEXTS, ODD)), ODD),
        "description": st.one_of(TEXTS, ODD),
    },
)


def state(raw: Raw) -> list[object]:
    """Everything that a client can see of a store."""
    listed = ("/revisions", "/snapshots", "/kv?label=*")
    return [page.json for target in listed for page in pages(raw, target)]


@settings(SHARED, max_examples=200)
@given(st.sampled_from(["PUT", "PATCH"]), st.sampled_from("abcdefghijklmnopqrstuvwxyz"), SNAPSHOTS)
def test_snapshot_bodies(
    store: Emulator, raw: Raw, method: str, name: str, content: dict[str, object]
) -> None:
    """Any body makes a snapshot or is refused, and a refusal leaves everything as it was."""
    store.set("a", "1", tags={"t": "1"})
    before = state(raw)
    body = json.dumps(content).encode()
    reply = raw.send(method, f"/snapshots/{name}", JSON, body)
    assert reply.status in ({201, 400, 409} if method == "PUT" else {400})
    if reply.status >= 400:
        assert state(raw) == before


@settings(SHARED, max_examples=200)
@given(
    st.sampled_from(["PUT", "DELETE", "PATCH"]),
    st.tuples(
        st.sampled_from(["/locks/k", "/kv/k", "/snapshots/s"]),
        st.sampled_from(["", "?label=", "?label=%00", "?label=x", "?label=%ff", "?api-version=x"]),
    ).map("".join),
    st.dictionaries(st.sampled_from(["if-match", "if-none-match"]), VALUES.map(str.strip)),
    st.sampled_from([b"", b"{}", b'{"value":"v"}', b'{"status":"archived"}', b"[]"]),
)
def test_refusals_change_nothing(
    store: Emulator, raw: Raw, method: str, target: str, headers: dict[str, str], body: bytes
) -> None:
    """A write that is refused, for whatever reason, leaves everything as it was."""
    store.set_many({"k": "1"})
    if raw.get("/snapshots/s").status == 404:
        store.create_snapshot("s", [("*", None)])
    before = state(raw)
    reply = raw.send(method, target, {**JSON, **headers}, body)
    assert reply.status < 500
    if reply.status >= 400:
        assert state(raw) == before


@settings(SHARED, max_examples=200)
@given(st.text(alphabet="abk\n0129-_\0é", max_size=24).map(str.encode), st.binary(max_size=12))
def test_page_tokens(store: Emulator, raw: Raw, text: bytes, noise: bytes) -> None:
    """Any token begins a page somewhere in any listing."""
    if store.get("k") is None:
        store.set_many({"k": "1", "l": "2"})
        store.create_snapshot("s", [("*", None)])
    for token in (base64.urlsafe_b64encode(text).decode().rstrip("="), quote(noise)):
        for path in ("/kv", "/kv?snapshot=s", "/revisions", "/snapshots", "/keys", "/labels"):
            separator = "&" if "?" in path else "?"
            assert raw.get(f"{path}{separator}after={token}").status in (200, 400)


MOMENTS = st.one_of(
    st.datetimes(timezones=st.one_of(st.none(), st.timezones())).map(str),
    st.datetimes().map(format_datetime),
    st.text(alphabet="0123456789-:+. TZGMT,Janev/\t\u00b2", max_size=34),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31 23:59:59.999999-23:59"]),
)
RANGES = st.one_of(
    st.tuples(st.integers(-1, 2**70), st.integers(-1, 2**70)).map(
        lambda ab: "items={}-{}".format(*ab)
    ),
    st.text(alphabet="0123456789-,= items", max_size=14).map("items=".__add__),
    st.text(alphabet="0123456789-,= itemsbyte\u00b2", max_size=14),
)


@settings(SHARED, max_examples=300)
@given(st.sampled_from(["GET", "HEAD"]), MOMENTS, RANGES, st.text("abk\n0129-", max_size=24))
def test_moments_and_ranges(
    store: Emulator, raw: Raw, method: str, moment: str, wanted: str, token: str
) -> None:
    """Any moment, range and token is served, or there is no such setting or part."""
    if store.get("k") is None:
        store.set_many({"k": "1", "l": "2"})
    headers = {"accept-datetime": moment.strip(), "range": wanted.strip()}
    after = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    for path in ("/kv", "/kv/k", "/keys", "/labels", "/revisions"):
        reply = raw.send(method, f"{path}?after={after}", headers)
        allowed = {"/kv/k": (200, 404), "/revisions": (200, 206, 416)}
        assert reply.status in allowed.get(path, (200,))


@settings(SHARED, max_examples=200)
@given(
    st.text(alphabet='HMAC-SHA256 Credntial=&,;x"\\é', max_size=40),
    st.text(alphabet="Nov, 20236:5.GMTZ+-é", max_size=30),
    st.text(max_size=10),
)
def test_credentials(shared: Emulator, authorization: str, date: str, digest: str) -> None:
    """Any credentials but the right ones get a 401 with a challenge."""
    headers = {
        "Host": "localhost",
        "x-ms-date": date.strip(),
        "x-ms-content-sha256": base64.b64encode(hashlib.sha256(digest.encode()).digest()).decode(),
        "Authorization": ("HMAC-SHA256 " + authorization).strip(),
        "Connection": "close",
    }
    lines = ["GET /kv HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    assert exchange(shared, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n") == 401


@settings(SHARED, max_examples=100)
@given(
    st.one_of(
        st.text(alphabet="Nov, 20236:5.GMTZ+-é", max_size=30),
        st.datetimes(timezones=st.sampled_from([None, timezone.utc])).map(str),
    )
)
def test_dates(shared: Emulator, date: str) -> None:
    """A correctly signed request with any date is served or a 401, never an error."""
    if not date.strip():
        date = "-"
    host = shared.endpoint.removeprefix("http://")
    signed = Signer(date=date.strip()).sign("GET", "/kv", host, b"")
    lines = ["GET /kv HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in signed.items()]
    assert exchange(shared, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n") in (200, 401)


@settings(SHARED, max_examples=100)
@given(st.binary(min_size=1, max_size=60).map(lambda noise: noise + b"\r\n\r\n"))
def test_noise(shared: Emulator, noise: bytes) -> None:
    """Bytes that are not HTTP are refused, and the next request is served."""
    host, _, port = shared.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)
    assert (
        exchange(shared, b"GET /kv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") == 401
    )


def test_half_a_body(shared: Emulator) -> None:
    """A client that leaves in the middle of its body leaves nothing behind, in store or log."""
    host = shared.endpoint.removeprefix("http://")
    signed = Signer().sign("PUT", "/kv/half", host, b"x" * 100)
    lines = ["PUT /kv/half HTTP/1.1", "Content-Length: 100"]
    lines += [f"{name}: {value}" for name, value in signed.items()]
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=5) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\nxxx")
    assert (
        exchange(shared, b"GET /kv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") == 401
    )
    assert shared.get("half") is None
