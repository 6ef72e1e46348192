"""Faults on request: connections that break, answers that drip, states that are old."""

from __future__ import annotations

import http.client
import logging
import ssl
import time
from collections.abc import Iterator

import httpx
import pytest

from appconfig_provider.testing import Emulator, Scripted

from .raw import Raw


@pytest.fixture(params=[False, True], ids=["http", "tls"])
def scheme(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A store with one setting, without and with TLS."""
    with Emulator(tls=request.param) as store:
        store.tokens.add("t")
        store.set("k", "v" * 500)
        yield store


def fetch(store: Emulator, timeout: float = 5) -> httpx.Response:
    """GET the setting with a token, or with a script that needs none."""
    headers = {"authorization": "Bearer t"}
    trusted = False if store.ca_file is None else ssl.create_default_context(cafile=store.ca_file)
    with httpx.Client(verify=trusted, trust_env=False) as client:
        return client.get(f"{store.endpoint}/kv/k", headers=headers, timeout=timeout)


def test_cut_in_the_middle(scheme: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A cut answer has headers and its first bytes; nothing is logged and the next is whole."""
    caplog.set_level(logging.WARNING)
    with (
        scheme.respond(lambda record: Scripted(200, body="x" * 1000, cut_after=10)),
        pytest.raises(httpx.RemoteProtocolError, match="10 bytes"),
    ):
        fetch(scheme)
    with scheme.respond(lambda record: Scripted(200, body="x" * 1000)):
        assert fetch(scheme).text == "x" * 1000
    assert caplog.records == []


def test_cut_of_a_real_answer(store: Emulator, raw: Raw) -> None:
    """What the store answers can be cut too, before its first byte already."""
    store.set("k", "v")
    for length in (0, 7):
        with (
            Raw(store.endpoint) as connection,
            store.respond(lambda record, length=length: Scripted(cut_after=length)),  # type: ignore[misc]
            pytest.raises(http.client.IncompleteRead) as caught,
        ):
            connection.get("/kv/k")
        assert len(caught.value.partial) == length
    assert raw.get("/kv/k").status == 200
    assert [record.status for record in store.requests] == [200] * 3


def test_drip(scheme: Emulator) -> None:
    """A dripping answer comes byte by byte: whole for the patient, never in time for others."""
    with scheme.respond(lambda record: Scripted(200, body="x" * 20, drip=0.002)):
        begin = time.perf_counter()
        assert fetch(scheme).text == "x" * 20
        assert time.perf_counter() - begin > 0.03
    with (
        scheme.respond(lambda record: Scripted(200, body="x" * 20, drip=0.002, cut_after=5)),
        pytest.raises(httpx.RemoteProtocolError, match="5 bytes"),
    ):
        fetch(scheme)
    with (
        scheme.respond(lambda record: Scripted(200, body="xx", drip=3600)),
        pytest.raises(httpx.TimeoutException),
    ):
        fetch(scheme, timeout=0.1)


def test_head_is_not_dripped(store: Emulator, raw: Raw) -> None:
    """A HEAD answer has no body that could drip."""
    store.set("k", "v")
    with store.respond(lambda record: Scripted(drip=3600)):
        assert raw.send("HEAD", "/kv/k").status == 200


def test_freeze(store: Emulator, raw: Raw) -> None:
    """In a frozen store reads see the state at its beginning, writes go through."""
    store.set("k", "old")
    token = raw.get("/kv/k").headers["sync-token"]
    with store.freeze():
        store.set("k", "new")
        assert raw.put("/kv/l", {"value": "v"}).status == 200
        reply = raw.get("/kv/k")
        assert (reply.json["value"], reply.headers["sync-token"]) == ("old", token)
        assert raw.get("/kv").keys == ["k"]
    assert raw.get("/kv").keys == ["k", "l"]
    assert raw.get("/kv/k").json["value"] == "new"


def test_stale_answer(store: Emulator, raw: Raw) -> None:
    """A single answer can come from the state that was remembered last."""
    for value in ("1", "2"):
        store.set("k", value)
        store.remember()
    store.set("k", "3")
    with store.respond(lambda record: Scripted(stale=True)):
        assert raw.get("/kv/k").json["value"] == "2"
        assert raw.put("/kv/k", {"value": "4"}).json["value"] == "4"
    assert raw.get("/kv/k").json["value"] == "4"


def test_stale_without_a_state() -> None:
    """A stale answer without a remembered state is the test's mistake and comes out as one."""
    with (
        pytest.raises(LookupError, match="remember"),
        Emulator() as store,
        Raw(store.endpoint) as raw,
        store.respond(lambda record: Scripted(stale=True)),
    ):
        assert raw.get("/kv").status == 500


@pytest.mark.parametrize(
    "options", [{"delay": -1}, {"drip": -0.1}, {"cut_after": -1}, {"status": 200, "stale": True}]
)
def test_impossible_scripts(options: dict[str, float]) -> None:
    """Numbers below zero, and a stale answer with a status of its own, are refused."""
    with pytest.raises(ValueError, match=r"negative|stale"):
        Scripted(**options)  # type: ignore[arg-type]
