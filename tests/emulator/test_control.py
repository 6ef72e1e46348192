"""Faults set over HTTP: an emulator in another process can be told to answer badly."""

from __future__ import annotations

import gc
import http.client
import json
import logging
import ssl
import sys
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NoReturn

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appconfig_provider.emulator import Draft, Server, Store, create_app
from appconfig_provider.emulator.control import Control
from appconfig_provider.testing.credentials import unsigned_token

from .raw import JSON, Raw, Reply
from .test_process import running, stop


@pytest.fixture
def data() -> Iterator[Store]:
    """A store with one setting."""
    with closing(Store()) as store:
        store.put(Draft("k", value="old"))
        yield store


@pytest.fixture
def raw(data: Store) -> Iterator[Raw]:
    """A connection to an emulator with the control route."""
    with closing(Control()) as control:
        app = control.around(data, lambda store: create_app(store, now=control.now))
        with Server(app) as server, Raw(server.endpoint) as connection:
            yield connection


def control(raw: Raw, method: str = "GET", content: object = None) -> Reply:
    """Talk to the control route, without credentials."""
    body = b"" if content is None else json.dumps(content).encode()
    return raw.send_unsigned(method, "/_control", {"host": raw.host, **JSON}, body)


def test_throttling(raw: Raw) -> None:
    """Chosen requests are throttled so many times with the chosen Retry-After."""
    content = {"status": 429, "retry_after": 3, "path": "/kv?", "times": 2}
    assert control(raw, "PUT", content).status == 200
    assert raw.get("/labels").status == 200
    replies = [raw.get("/kv?key=k") for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "3"
    assert replies[0].json["type"] == "https://azconfig.io/errors/too-many-requests"
    shown = control(raw).json
    assert (shown["met"], shown["times"], shown["status"]) == (2, 2, 429)


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (3, "3", "3000"),
        (0.2, "1", "200"),
        (1.5, "2", "1500"),
        (0, "0", "0"),
        (1e9, "1" + "0" * 9, "1" + "0" * 12),
    ],
)
def test_retry_after(raw: Raw, seconds: float, whole: str, milliseconds: str) -> None:
    """Retry-After has whole seconds, rounded up, and retry-after-ms stands beside it."""
    control(raw, "PUT", {"status": 503, "retry_after": seconds})
    headers = raw.get("/kv").headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == (whole, milliseconds)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid-argument"),
        (401, None),
        (403, None),
        (404, None),
        (409, "invalid-state"),
        (412, None),
        (429, "too-many-requests"),
        (500, "server-error"),
        (503, None),
        (504, None),
    ],
)
def test_bodies_of_faults(raw: Raw, status: int, kind: str | None) -> None:
    """A fault has the body that the service gives with its status, and the common headers."""
    control(raw, "PUT", {"status": status})
    reply = raw.get("/kv")
    assert {"date", "sync-token", "x-ms-request-id"} <= set(reply.headers)
    assert ("www-authenticate" in reply.headers) == (status == 401)
    if kind is None:
        assert (reply.body, "content-type" in reply.headers) == (b"", False)
    else:
        assert reply.headers["content-type"] == "application/problem+json; charset=utf-8"
        assert reply.json["type"] == f"https://azconfig.io/errors/{kind}"
        assert reply.json["status"] == status


def test_throttling_in_the_words_of_the_service(raw: Raw) -> None:
    """A request too many is told the quota that is used up; a 401 is told the schemes."""
    control(raw, "PUT", {"status": 429})
    assert raw.get("/kv").json == {
        "type": "https://azconfig.io/errors/too-many-requests",
        "title": "Resource utilization has surpassed the assigned quota",
        "policy": "Total Requests",
        "status": 429,
    }
    control(raw, "PUT", {"status": 401})
    offered = raw.get("/kv").headers["www-authenticate"]
    assert offered.startswith('HMAC-SHA256 error="invalid_token", error_description="')
    assert offered.endswith(", Bearer")


@pytest.mark.parametrize("content", [{}, {"skew": 1}, {"retry_after": 3}, {"path": "/kv"}])
def test_only_faults_are_counted(raw: Raw, content: dict[str, object]) -> None:
    """A request with which nothing goes wrong is none that a fault met, nor one of its times."""
    control(raw, "PUT", {**content, "times": 1})
    for _ in range(3):
        assert raw.get("/kv").status == 200
    assert control(raw).json["met"] == 0


def test_stale_answers_are_counted(raw: Raw) -> None:
    """Reads from the older state are met; writes, and who has seen a newer state, are not."""
    control(raw, "PUT", {"stale": True})
    assert raw.put("/kv/k", {"value": "new"}).status == 200
    assert control(raw).json["met"] == 0
    raw.get("/kv/k")
    assert control(raw).json["met"] == 1
    control(raw, "PUT", {"lag": True})
    token = raw.put("/kv/k", {"value": "newer"}).headers["sync-token"].partition(";")[0]
    assert raw.get("/kv/k", sync_token=token).json["value"] == "newer"
    assert control(raw).json["met"] == 0
    assert raw.get("/kv/k").json["value"] == "new"
    assert control(raw).json["met"] == 1


def test_reset(raw: Raw) -> None:
    """DELETE ends every fault."""
    control(raw, "PUT", {"status": 503})
    assert raw.get("/kv").status == 503
    assert control(raw, "DELETE").json["status"] is None
    assert raw.get("/kv").status == 200
    assert control(raw, "POST").status == 405


def test_bad_connections(raw: Raw) -> None:
    """Answers are late, drip, or are cut."""
    control(raw, "PUT", {"delay": 0.01, "drip": 0.0001})
    assert raw.get("/kv/k").json["value"] == "old"
    control(raw, "PUT", {"cut_after": 5})
    with pytest.raises(http.client.IncompleteRead) as caught:
        raw.get("/kv/k")
    assert len(caught.value.partial) == 5


def test_stale(raw: Raw, data: Store) -> None:
    """A stale emulator reads from the state at the moment it was told to, and writes for real."""
    control(raw, "PUT", {"stale": True})
    assert raw.put("/kv/k", {"value": "new"}).status == 200
    assert raw.get("/kv/k").json["value"] == "old"
    control(raw, "PUT", {"stale": True, "path": "/kv/k"})
    data.put(Draft("k", value="newer"))
    assert raw.get("/kv/k").json["value"] == "new"
    assert '"newer"' in raw.get("/kv").body.decode()
    control(raw, "DELETE")
    assert raw.get("/kv/k").json["value"] == "newer"


def test_skew(raw: Raw) -> None:
    """A clock that is off refuses fresh requests."""
    control(raw, "PUT", {"skew": 1200})
    reply = raw.get("/kv")
    assert (reply.status, "expired" in reply.headers["www-authenticate"]) == (401, True)
    control(raw, "PUT", {"skew": -600})
    assert raw.get("/kv").status == 200


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"colour": 1}, "colour"),
        ({"status": 200}, "status"),
        ({"status": True}, "status"),
        ({"status": "503"}, "status"),
        ({"status": 503, "stale": True}, "stale"),
        ({"delay": -1}, "delay"),
        ({"delay": None}, "delay"),
        ({"delay": float("nan")}, "delay"),
        ({"cut_after": 1.5}, "cut_after"),
        ({"times": -1}, "times"),
        ({"retry_after": 1e300}, "retry_after"),
        ({"delay": 1e300}, "delay"),
        ({"drip": 10**400}, "drip"),
        ({"down": 1e300}, "down"),
        ({"skew": 1e300}, "skew"),
        ({"skew": -1e12}, "skew"),
        ({"times": 10**400}, "times"),
        ({"cut_after": 10**12}, "cut_after"),
        ({"path": "\ud800"}, "path"),
        ({"path": "/kv/\u00e4"}, "path"),
        ({"\ud800": 1}, "\ud800"),
        ({"stale": 1}, "stale"),
        ({"path": 1}, "path"),
        ([], "body"),
    ],
)
def test_refused_faults(raw: Raw, content: object, name: str) -> None:
    """A fault that makes no sense is a 400 that names the member, and changes nothing."""
    control(raw, "PUT", {"retry_after": 7})
    reply = control(raw, "PUT", content)
    assert (reply.status, reply.json["name"]) == (400, name)
    assert control(raw).json["retry_after"] == 7


# The emulator is emptied by no one between examples, and the machine may be busy with other things.
SHARED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
VALUES = st.one_of(st.none(), st.booleans(), st.text(max_size=4), st.lists(st.none(), max_size=1))
NAMES = st.sampled_from(["status", "retry_after", "cut_after", "stale", "path", "times", "", "x"])


@settings(max_examples=100, deadline=None, suppress_health_check=SHARED)
@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_any_faults(raw: Raw, content: dict[str, Any]) -> None:
    """Whatever is asked for is set or refused."""
    assert control(raw, "PUT", content).status in (200, 400)


class Failure(Exception):
    """An exception that a weak reference can lead to."""


def test_failures_are_logged_and_forgotten(
    raw: Raw, data: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails behind the faults is a problem document and a line in the log, and not kept."""
    raised = []
    logged: list[str] = []  # pytest keeps what it finds in a log, exceptions too
    log = logging.getLogger("appconfig_provider.emulator")
    monkeypatch.setattr(log, "exception", logged.append)

    def failing(draft: Draft) -> NoReturn:
        error = Failure(draft.key)
        raised.append(weakref.ref(error))
        raise error

    monkeypatch.setattr(data, "put", failing)
    for _ in range(3):
        reply = raw.put("/kv/k", {"value": "new"})
        assert (reply.status, reply.json["type"]) == (
            500,
            "https://azconfig.io/errors/server-error",
        )
        assert reply.headers["content-type"].startswith("application/problem+json")
        assert "sync-token" in reply.headers
    gc.collect()
    assert len(logged) == 3
    assert [error() for error in raised] == [None] * 3


def test_off_unless_asked_for(data: Store) -> None:
    """An emulator without the control route does not know it."""
    with Server(create_app(data)) as server, Raw(server.endpoint) as raw:
        for method in ("GET", "PUT", "DELETE"):
            assert control(raw, method, {"status": 503}).status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_process_with_tls_and_control() -> None:
    """The program speaks TLS, says what to trust, takes tokens and lets faults be set."""
    options = ("--tls", "--control", "--token", "opaque")
    with running(*options) as (process, parts):
        assert process.stdout is not None
        ca_file = process.stdout.readline().strip().removeprefix("Trust the CA certificate ")
        assert process.stdout.readline() == f"Set faults at {parts['Endpoint']}/_control\n"
        assert parts["Endpoint"].startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=ca_file)
        with httpx.Client(verify=context, trust_env=False, base_url=parts["Endpoint"]) as client:
            for token in ("opaque", unsigned_token("https://appconfig.azure.com")):
                headers = {"authorization": f"Bearer {token}"}
                assert client.get("/kv", headers=headers).status_code == 200
            assert client.put("/_control", json={"status": 503}).status_code == 200
            assert client.get("/kv", headers=headers).status_code == 503
        assert stop(process)[::2] == (0, "")


@pytest.mark.parametrize("target", ["/_control/1", "/_control/x", "/_control/", "/_controls"])
def test_no_such_endpoint(raw: Raw, target: str) -> None:
    """A place for faults that is none names those that are."""
    reply = raw.send_unsigned("PUT", target, {"host": raw.host, **JSON}, b"{}")
    assert reply.status == 404
    assert "/_control/0" in reply.json["detail"]


def test_a_fault_without_content_type(raw: Raw) -> None:
    """Bare curl sends another content type, and is told which one is needed."""
    reply = raw.send_unsigned("PUT", "/_control", {"host": raw.host}, b"{}")
    assert reply.status == 415
    assert "application/json" in reply.json["detail"]
