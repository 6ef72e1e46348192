"""The emulator as a tool for tests: records, callbacks, scripted answers, the settable clock."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from appconfig_provider import load
from appconfig_provider.emulator import Draft
from appconfig_provider.emulator.vault import Secrets
from appconfig_provider.testing import (
    AsyncStaticCredential,
    Emulator,
    FakeClock,
    RequestRecord,
    Scripted,
    StaticCredential,
)

from .raw import Raw, Signer


def test_settings() -> None:
    """Settings are written, read and removed without HTTP, checked as over HTTP."""
    with Emulator() as store:
        stored = store.set("k", "v", "l", content_type="c", tags={"a": "b"})
        assert store.get("k", "l") == stored
        assert store.get("k") is None
        assert store.set_many({"a": "1", "b": None}) == 2
        assert store.set_many([Draft("a", value="1"), Draft("c", "x"), ("d", "2")]) == 2
        assert store.delete("k", "l") == stored
        assert store.delete("k", "l") is None
        with pytest.raises(ValueError, match="key"):
            store.set("", "v")


def test_connection_string() -> None:
    """The connection string begins with the endpoint, which has no slash at the end."""
    with Emulator() as store:
        assert store.endpoint.startswith("http://127.0.0.1:")
        assert store.connection_string.startswith(f"Endpoint={store.endpoint};Id=")


def test_same_port_again() -> None:
    """An emulator can come back where an earlier one was; meanwhile nobody answers."""
    with Emulator() as first, Raw(first.endpoint) as raw:
        raw.get("/kv")
    port = int(first.endpoint.rpartition(":")[2])
    with pytest.raises(ConnectionError), Raw(first.endpoint) as raw:
        raw.get("/kv")
    with Emulator(port=port) as second, Raw(second.endpoint) as raw:
        assert second.endpoint == first.endpoint
        assert raw.get("/kv").status == 200


def test_requests(store: Emulator, raw: Raw) -> None:
    """Requests are recorded in order, with target, headers and status, until cleared."""
    raw.get("/kv?key=a%2A", if_match="*")
    raw.put("/kv/k", {"value": "v"})
    raw.send_unsigned("GET", "/kv", {"host": raw.host})
    found = [(record.method, record.target, record.status) for record in store.requests]
    assert found == [("GET", "/kv?key=a%2A", 200), ("PUT", "/kv/k", 200), ("GET", "/kv", 401)]
    assert store.requests[0].headers["if-match"] == "*"
    assert "authorization" not in repr(store.requests[0])
    store.clear_requests()
    raw.get("/labels")
    assert [(record.index, record.target) for record in store.requests] == [(3, "/labels")]


def test_callbacks_around_an_answer(store: Emulator, raw: Raw) -> None:
    """Before an answer the store can still be changed; after it the answer stands."""
    seen: list[tuple[str, int | None]] = []

    def before(record: RequestRecord) -> None:
        seen.append(("before", record.status))
        store.set("k", "before")

    def after(record: RequestRecord) -> None:
        seen.append(("after", record.status))
        store.set("k", "after")

    with store.before_answer(before), store.after_answer(after):
        assert raw.get("/kv/k").json["value"] == "before"
    assert seen == [("before", None), ("after", 200)]
    assert raw.get("/kv/k").json["value"] == "after"


def test_scripted_answers(store: Emulator, raw: Raw) -> None:
    """A script answers instead of the store, request by request, until removed."""

    def respond(record: RequestRecord) -> Scripted | None:
        if record.target == "/kv":
            return Scripted(429, {"Retry-After": "3"}, "slow down")
        return None

    script = store.respond(respond)
    reply = raw.get("/kv")
    assert (reply.status, reply.headers["retry-after"], reply.body) == (429, "3", b"slow down")
    assert raw.get("/labels").status == 200
    assert [record.status for record in store.requests] == [429, 200]
    script.remove()
    script.remove()
    assert raw.get("/kv").status == 200


COMMON = ("date", "sync-token", "x-ms-request-id", "x-ms-correlation-request-id")
IDS = {
    "x-ms-client-request-id": "c",
    "x-ms-return-client-request-id": "true",
    "x-ms-correlation-request-id": "r",
}


def scripted(answer: Scripted, _record: RequestRecord) -> Scripted:
    """The same answer to every request."""
    return answer


def test_scripted_answers_have_the_headers_of_all(store: Emulator, raw: Raw) -> None:
    """An answer made up by a test has date, sync token and ids, as those of the store have."""
    store.set("k", "v")
    real = raw.send("GET", "/kv", IDS)
    for answer in map(Scripted, (200, 304, 429, 503)):
        with store.respond(partial(scripted, answer)):
            reply = raw.send("GET", "/kv", IDS)
        assert set(COMMON) <= set(reply.headers)
        for name in ("sync-token", "x-ms-client-request-id", "x-ms-correlation-request-id"):
            assert reply.headers[name] == real.headers[name]
        assert reply.headers["x-ms-request-id"] != real.headers["x-ms-request-id"]
    with store.respond(lambda record: Scripted(503)):
        assert "x-ms-client-request-id" not in raw.get("/kv").headers


def test_scripted_headers_win(store: Emulator, raw: Raw) -> None:
    """What a test sets is sent as it is, once, and None leaves a header out."""
    own = {"Date": "yesterday", "sync-token": None, "Content-Length": "0"}
    with store.respond(lambda record: Scripted(503, own)):
        headers = raw.get("/kv").headers
    assert (headers["date"], headers["content-length"]) == ("yesterday", "0")
    assert "sync-token" not in headers


def test_scripted_answers_live_by_the_clock() -> None:
    """The date of an answer made up by a test is that of the emulator's clock."""
    with Emulator(clock=FakeClock(1_000_000_000.0)) as store, Raw(store.endpoint) as raw:
        store.respond(lambda record: Scripted(503))
        assert raw.get("/kv").headers["date"] == "Sun, 09 Sep 2001 01:46:40 GMT"


def test_an_endpoint_that_lags_scripts_its_own_sync_token(store: Emulator, raw: Raw) -> None:
    """A made-up answer of an endpoint that is behind tells of no write that it does not know."""
    token = raw.get("/kv").headers["sync-token"]
    with store.lag(), store.respond(lambda record: Scripted(503)):
        store.set("k", "v")
        assert raw.get("/kv").headers["sync-token"] == token


@pytest.mark.parametrize("status", [200, 204, 304, 503])
def test_scripted_status(store: Emulator, raw: Raw, status: int) -> None:
    """Any status can be scripted, without a body where there is none."""
    with store.respond(lambda record: Scripted(status)):
        assert raw.get("/kv").status == status
    assert raw.get("/kv").status == 200


def test_late_answer(store: Emulator, raw: Raw) -> None:
    """A script without a status only delays what the store answers."""
    with store.respond(lambda record: Scripted(delay=0.01)):
        assert raw.get("/kv").status == 200


def test_silent_server(caplog: pytest.LogCaptureFixture) -> None:
    """A silent answer holds up neither other requests nor the end, which drops the connection."""
    caplog.set_level(logging.WARNING)
    arrived = threading.Event()
    ended: list[type[Exception]] = []

    def silent(record: RequestRecord) -> Scripted | None:
        if record.target == "/kv":
            arrived.set()
            return Scripted(delay=3600)
        return None

    def wait_for_an_answer(endpoint: str) -> None:
        with Raw(endpoint) as raw:
            try:
                raw.get("/kv")
            except (OSError, http.client.HTTPException) as error:
                ended.append(type(error))

    with Emulator() as store:
        store.respond(silent)
        waiting = threading.Thread(target=wait_for_an_answer, args=(store.endpoint,))
        waiting.start()
        assert arrived.wait(10)
        with Raw(store.endpoint) as raw:
            assert raw.get("/labels").status == 200
        begin = time.perf_counter()
    assert time.perf_counter() - begin < 5
    waiting.join(10)
    assert len(ended) == 1
    assert caplog.records == []


def test_callbacks_may_wait_for_other_requests(store: Emulator) -> None:
    """A callback may hold its request until another one was served."""
    served = threading.Event()

    def hold(record: RequestRecord) -> None:
        if record.target == "/kv":
            assert served.wait(10)
        else:
            served.set()

    def ask() -> None:
        with Raw(store.endpoint) as raw:
            raw.get("/kv")

    with store.before_answer(hold), Raw(store.endpoint) as raw:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert raw.get("/labels").status == 200
        for thread in threads:
            thread.join(10)
    assert [record.status for record in store.requests] == [200] * 9


def test_failing_callback() -> None:
    """A callback that raises makes a 500, and its exception comes out of the with block."""

    def broken(record: RequestRecord) -> None:
        raise LookupError(record.target)

    with pytest.raises(LookupError, match="/kv"), Emulator() as store, Raw(store.endpoint) as raw:
        store.before_answer(broken)
        assert raw.get("/kv").status == 500


def test_stopped_clock() -> None:
    """With a settable clock, both the freshness of requests and the moments follow it."""
    clock = FakeClock(1_000_000_000.0)
    with Emulator(clock=clock) as store, Raw(store.endpoint) as raw:
        assert store.set("k", "v").last_modified.timestamp() == 1_000_000_000
        assert raw.get("/kv").status == 401
        assert raw.send("GET", "/kv", signer=Signer(date="2001-09-09T01:46:40Z")).status == 200


def test_fake_clock() -> None:
    """A settable clock moves when told, sleeps at once, and never goes back."""
    clock = FakeClock()
    assert abs(clock.time() - time.time()) < 60
    monotonic, moment = clock.monotonic(), clock.time()
    clock.advance(3600)
    clock.sleep(5)
    clock.sleep(-1)
    asyncio.run(clock.asleep(1))
    assert clock.monotonic() - monotonic == 3606
    assert clock.time() - moment == pytest.approx(3606)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_credentials() -> None:
    """A credential hands out its token, or one for the scope's audience, and remembers scopes."""
    scope = "https://vault.azure.net/.default"
    with StaticCredential("text") as credential:
        assert credential.get_token(scope, claims="x").token == "text"
        assert credential.scopes == [scope]

    async def awaited() -> None:
        async with AsyncStaticCredential() as credential:
            token = await credential.get_token(scope)
            assert token.token.count(".") == 2
            assert 3500 < token.expires_on - time.time() <= 3600
            assert credential.scopes == [scope]

    asyncio.run(awaited())


def test_secrets_are_not_shown() -> None:
    """The repr of a secret of the vault does not show its value."""
    assert "hunter2" not in repr(Secrets(time.time).set("s", "hunter2"))


def test_starting_and_stopping_is_fast() -> None:
    """Many emulators can be started and stopped in the time of a few requests."""
    with Emulator():
        pass  # the first one imports the web server
    begin = time.perf_counter()
    for _ in range(10):
        with Emulator() as store, Raw(store.endpoint) as raw:
            raw.get("/kv")
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.set("k", "v"),
        lambda store: store.set_many({"k": "v"}),
        lambda store: store.get("k"),
        lambda store: store.delete("k"),
        lambda store: store.lock("k"),
        lambda store: store.create_snapshot("s", [("*", None)]),
        lambda store: store.archive_snapshot("s"),
        lambda store: store.remember(),
        lambda store: store.freeze(),
        lambda store: store.event("k"),
        lambda store: store.replicas[0].lag(),
    ],
)
def test_a_store_that_was_closed(call: Callable[[Emulator], object]) -> None:
    """After its ``with`` block a store says that it is closed."""
    with Emulator(replicas=1) as store:
        pass
    with pytest.raises(RuntimeError, match="the store is closed; use it inside"):
        call(store)


def test_feature_flags() -> None:
    """A flag is written by its name, or as its JSON, and is read by `load()`."""
    whole = {"id": "Theme", "variants": [{"name": "dark", "configuration_value": 1}]}
    with Emulator() as store:
        store.set_flag("On")
        store.set_flag("Off", enabled=False)
        store.set_flag({**whole, "enabled": False})
        assert store.set_flag(whole, enabled=True, label="prod").label == "prod"
        assert "enabled" not in whole
        with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
            flags = config.feature_flags
            states = {name: flags.is_enabled(name) for name in flags.names()}
            assert states == {"On": True, "Off": False, "Theme": False}
            read = flags.evaluate("Theme").flag
            assert read is not None
            assert [one.name for one in read.variants or ()] == ["dark"]
        stored = store.get(".appconfig.featureflag/Theme", "prod")
        assert stored is not None
        assert json.loads(stored.value or "") == {**whole, "enabled": True}


@pytest.mark.parametrize("flag", [{"enabled": True}, {"id": 5}, {"id": ""}, ""])
def test_a_feature_flag_has_an_id(flag: Any) -> None:
    """Without a text as its name nobody could ask for it."""
    with Emulator() as store, pytest.raises(ValueError, match="needs an 'id'"):
        store.set_flag(flag)
