"""Several endpoints of one store: each can be down, slow, frozen or behind the others."""

from __future__ import annotations

import gc
import http.client
import json
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from azure.appconfiguration import AzureAppConfigurationClient, ConfigurationSetting

from appconfig_provider.emulator import AccessKey
from appconfig_provider.emulator.sync_tokens import seen_mutations, sync_token
from appconfig_provider.testing import (
    Emulator,
    FakeClock,
    Fault,
    Replica,
    RequestRecord,
    Scripted,
    Vault,
)

from .raw import Raw, Signer


@pytest.fixture
def store() -> Iterator[Emulator]:
    """A store with one setting and three endpoints."""
    with Emulator(replicas=2) as emulator:
        emulator.set("k", "old")
        yield emulator


@pytest.fixture(params=[False, True], ids=["http", "tls"])
def scheme(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A store with one setting and two endpoints, without and with TLS."""
    with Emulator(replicas=1, tls=request.param) as emulator:
        emulator.tokens.add("t")
        emulator.set("k", "old")
        yield emulator


def client_of(endpoint: Replica) -> httpx.Client:
    """A client that keeps its connections, for any scheme."""
    trusted = (
        False if endpoint.ca_file is None else ssl.create_default_context(cafile=endpoint.ca_file)
    )
    return httpx.Client(
        verify=trusted, trust_env=False, base_url=endpoint.endpoint, timeout=httpx.Timeout(10)
    )


def ask(client: httpx.Client) -> int:
    """The status of a listing asked for with a token; it is 401 where no token is taken."""
    return client.get("/kv", headers={"authorization": "Bearer t"}).status_code


def read(endpoint: Replica, **headers: str) -> str:
    """The value of the one setting at an endpoint, read on a connection of its own."""
    with Raw(endpoint.endpoint) as raw:
        value: str = raw.get("/kv/k", **headers).json["value"]
        return value


def value_at(client: AzureAppConfigurationClient) -> str | None:
    """The value of the one setting as the official client reads it."""
    setting = client.get_configuration_setting("k")
    assert setting is not None
    return setting.value


def refused(endpoint: Replica) -> bool:
    """Whether nobody listens at an endpoint."""
    host, _, port = endpoint.endpoint.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except ConnectionError:
        return True
    return False


def test_one_store_behind_every_endpoint(store: Emulator) -> None:
    """What is written at one endpoint is read at every other, each at an address of its own."""
    endpoints = (store, *store.replicas)
    assert len({each.endpoint for each in endpoints}) == 3
    for number, each in enumerate(endpoints):
        assert each.connection_string.startswith(f"Endpoint={each.endpoint};Id=")
        with Raw(each.endpoint) as raw:
            etag = raw.put("/kv/k", {"value": str(number)}).headers["etag"]
        for other in endpoints:
            with Raw(other.endpoint) as raw:
                assert raw.get("/kv/k").headers["etag"] == etag
    stored = store.get("k")
    assert stored is not None
    assert stored.value == "2"


def test_no_replicas_unless_asked_for() -> None:
    """An emulator has one endpoint unless more are asked for, and never less."""
    with Emulator() as store:
        assert store.replicas == ()
    with pytest.raises(ValueError, match="replicas"):
        Emulator(replicas=-1)


def test_options_hold_for_every_endpoint() -> None:
    """Page size, clock and access keys are those of the store, at each of its endpoints."""
    clock = FakeClock(1_000_000_000.0)
    keys = (AccessKey("me", "c2VjcmV0"), AccessKey("you", "c2VjcmV0"))
    signer = Signer(id="you", secret="c2VjcmV0", date="2001-09-09T01:46:40Z")
    with Emulator(replicas=1, page_size=2, clock=clock, access_keys=keys) as store:
        store.set_many(dict.fromkeys("abc", "v"))
        (replica,) = store.replicas
        assert ";Id=me;" in replica.connection_string
        with Raw(replica.endpoint) as raw:
            assert raw.send("GET", "/kv", signer=signer).keys == ["a", "b"]
            assert raw.get("/kv").status == 401


def test_requests_and_scripts_of_an_endpoint(store: Emulator) -> None:
    """Each endpoint has its own records, callbacks and scripted answers."""
    first, second = store.replicas
    seen: list[tuple[str, int | None]] = []
    first.before_answer(lambda record: seen.append(("before", record.status)))
    first.after_answer(lambda record: seen.append(("after", record.status)))
    script = first.respond(lambda record: Scripted(503))
    for each, status in ((store, 200), (first, 503), (second, 200)):
        with Raw(each.endpoint) as raw:
            assert raw.get("/kv").status == status
    assert seen == [("before", None), ("after", 503)]
    assert [[record.status for record in each.requests] for each in (store, first, second)] == [
        [200],
        [503],
        [200],
    ]
    script.remove()
    first.clear_requests()
    assert read(first) == "old"
    assert [len(each.requests) for each in (store, first, second)] == [1, 1, 1]


def test_failing_callback_of_a_replica() -> None:
    """What a callback of a replica raises comes out of the emulator's with block."""

    def broken(record: RequestRecord) -> None:
        raise LookupError(record.target)

    with pytest.raises(LookupError, match="/labels"), Emulator(replicas=1) as store:
        store.replicas[0].before_answer(broken)
        with Raw(store.replicas[0].endpoint) as raw:
            assert raw.get("/labels").status == 500


@pytest.mark.parametrize("number", [0, 1])
def test_down_and_up(scheme: Emulator, number: int, caplog: pytest.LogCaptureFixture) -> None:
    """A host that is gone ends kept connections and refuses new ones; then it is back."""
    caplog.set_level(logging.WARNING)
    endpoints: tuple[Replica, ...] = (scheme, *scheme.replicas)
    gone, other = endpoints[number], endpoints[1 - number]
    status = 200 if scheme.ca_file else 401
    with client_of(other) as elsewhere:
        for _ in range(20):
            with client_of(gone) as kept:
                assert ask(kept) == status
                gone.down()
                assert refused(gone)
                with pytest.raises(httpx.TransportError):
                    ask(kept)
                assert ask(elsewhere) == status
                gone.up()
                assert ask(kept) == status
    assert caplog.records == []


def test_kept_connections_are_dropped(store: Emulator) -> None:
    """The end of a connection that was kept reaches its client at once."""
    replica = store.replicas[0]
    with ExitStack() as stack:
        kept = []
        for _ in range(10):
            host, _, port = replica.endpoint.removeprefix("http://").rpartition(":")
            kept.append(stack.enter_context(socket.create_connection((host, int(port)), 10)))
            kept[-1].sendall(b"GET /kv HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert _answer(kept[-1]).startswith(b"HTTP/1.1 401")
        replica.down()
        assert {_rest(each) for each in kept} == {b""}


def _answer(connection: socket.socket) -> bytes:
    """Read an answer with its body, which may come later than its head."""
    read = b""
    while b"\r\n\r\n" not in read or not read.endswith(b"}"):
        read += connection.recv(10_000)
    return read


def _rest(connection: socket.socket) -> bytes:
    try:
        return connection.recv(10_000)
    except ConnectionError:
        return b""


def test_down_twice_and_up_twice(store: Emulator) -> None:
    """To take down what is down, and to bring up what is up, does nothing."""
    replica = store.replicas[0]
    replica.up()
    assert read(replica) == "old"
    replica.down()
    replica.down()
    assert refused(replica)
    replica.up()
    replica.up()
    assert read(replica) == "old"


def test_state_outlives_being_down(store: Emulator) -> None:
    """Records, scripts and the lag of an endpoint are still there when it comes back."""
    replica = store.replicas[0]
    with replica.lag(), replica.respond(lambda record: Scripted(delay=0.001)):
        store.set("k", "new")
        read(replica)
        replica.down()
        replica.up()
        assert read(replica) == "old"
    assert [record.index for record in replica.requests] == [0, 1]


def test_every_endpoint_down(store: Emulator) -> None:
    """A whole store can be gone, be written to by its test, and come back."""
    endpoints = (store, *store.replicas)
    for each in endpoints:
        each.down()
    assert all(refused(each) for each in endpoints)
    store.set("k", "new")
    for each in reversed(endpoints):
        each.up()
    assert [read(each) for each in endpoints] == ["new"] * 3


def test_down_by_a_callback(store: Emulator) -> None:
    """A callback may take down the endpoint whose request it was called for."""
    replica = store.replicas[0]
    with (
        replica.before_answer(lambda record: replica.down()),
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        read(replica)
    assert refused(replica)
    replica.up()
    assert read(replica) == "old"


def test_the_port_stays_taken(store: Emulator) -> None:
    """While an endpoint is down, its port is not given to anybody else."""
    replica = store.replicas[0]
    replica.down()
    host, _, port = replica.endpoint.removeprefix("http://").rpartition(":")
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((host, int(port)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody else can have the port")
def test_somebody_else_on_the_port(store: Emulator) -> None:
    """An endpoint cannot come back where somebody else serves by now, but later it can."""
    replica = store.replicas[0]
    replica.down()
    with Emulator(port=int(replica.endpoint.rpartition(":")[2])) as other:
        assert other.endpoint == replica.endpoint
        for _ in range(2):
            with pytest.raises(OSError, match="in use"):
                replica.up()
        other.set("k", "other")
        assert read(replica) == "other"
    replica.up()
    assert read(replica) == "old"


@pytest.mark.parametrize("started", [False, True])
def test_nothing_before_the_start_and_after_the_end(*, started: bool) -> None:
    """What does not run can be neither taken down nor brought up, and has no settings any more."""
    store = Emulator(replicas=1)
    with store if started else ExitStack():
        pass
    for switch in (store.down, store.up, store.replicas[0].down, store.replicas[0].up):
        with pytest.raises(RuntimeError, match="not run"):
            switch()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        store.get("k")


def test_down_and_up_from_many_threads(store: Emulator) -> None:
    """Threads may switch an endpoint at the same time; the last one decides."""
    replica = store.replicas[0]

    def switch() -> None:
        for _ in range(10):
            replica.down()
            replica.up()

    threads = [threading.Thread(target=switch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert read(replica) == "old"


def test_the_end_while_it_is_switched() -> None:
    """An emulator can be closed while threads switch its endpoints; they are told that it ended."""
    for _ in range(5):
        with Emulator(replicas=1) as store:
            value_at = [
                _started(partial(_switch_until_the_end, each)) for each in (store.replicas * 3)
            ]
            while not refused(store.replicas[0]):
                pass
        assert {end() for end in value_at} == {"the server does not run"}


def _switch_until_the_end(endpoint: Replica) -> str:
    try:
        while True:
            endpoint.down()
            endpoint.up()
    except RuntimeError as error:
        return str(error)


def test_freeze_of_one_endpoint(store: Emulator) -> None:
    """A frozen replica reads as it was, whatever a client has seen; the others go on."""
    first, second = store.replicas
    with first.freeze():
        with Raw(first.endpoint) as raw:
            token = raw.put("/kv/k", {"value": "new"}).headers["sync-token"]
        seen = token.partition(";")[0]
        assert [read(each, sync_token=seen) for each in (store, first, second)] == [
            "new",
            "old",
            "new",
        ]
    assert read(first) == "new"


def test_lag(store: Emulator) -> None:
    """A lagging replica is up to date for a client that has seen a newer state, and only then."""
    replica = store.replicas[0]
    with Raw(store.endpoint) as raw:
        before = raw.get("/kv").headers["sync-token"].partition(";")[0]
    with replica.lag():
        with Raw(store.endpoint) as raw:
            after = raw.put("/kv/k", {"value": "new"}).headers["sync-token"].partition(";")[0]
        assert read(store) == "new"
        assert read(replica) == "old"
        assert read(replica, sync_token=before) == "old"
        assert read(replica, sync_token=after) == "new"
        with Raw(replica.endpoint) as raw:
            old = raw.get("/kv?key=k").headers["sync-token"]
            new = raw.get("/kv?key=k", sync_token=f"zz=MTA=,{after}").headers["sync-token"]
            assert (old.partition(";")[0], new.partition(";")[0]) == (before, after)
            assert raw.send("HEAD", "/kv/k").headers["sync-token"] == old
    assert read(replica) == "new"


def test_lag_and_writes(store: Emulator) -> None:
    """Who writes at a lagging replica reads there what was written; others do not."""
    replica = store.replicas[0]
    with (
        replica.lag(),
        AzureAppConfigurationClient.from_connection_string(replica.connection_string) as writer,
        AzureAppConfigurationClient.from_connection_string(replica.connection_string) as reader,
    ):
        writer.set_configuration_setting(ConfigurationSetting(key="k", value="new"))
        assert value_at(writer) == "new"
        assert [each.value for each in writer.list_configuration_settings()] == ["new"]
        assert value_at(reader) == "old"


def test_blocks_inside_each_other(store: Emulator) -> None:
    """When an inner block ends, the outer one holds again, with its own older state."""
    replica = store.replicas[0]
    with replica.lag():
        token = store.event("k")["data"]["syncToken"].partition(";")[0]
        store.set("k", "newer")
        with replica.freeze():
            store.set("k", "newest")
            assert read(replica) == "newer"
        assert read(replica) == "old"
        assert read(replica, sync_token=token) == "old"
    assert read(replica) == "newest"


def test_remembering_inside_a_block(store: Emulator) -> None:
    """What is remembered for single answers does not move the state of a block."""
    replica = store.replicas[0]
    with replica.freeze():
        store.set("k", "new")
        replica.remember()
        assert read(replica) == "old"
        with replica.respond(lambda record: Scripted(stale=True)):
            assert read(replica) == "new"


def test_stale_answers_of_a_replica(store: Emulator) -> None:
    """A replica remembers states of its own for single stale answers."""
    first, second = store.replicas
    first.remember()
    store.set("k", "new")
    second.remember()
    with (
        first.respond(lambda record: Scripted(stale=True)),
        second.respond(lambda record: Scripted(stale=True)),
    ):
        assert (read(first), read(second)) == ("old", "new")


@pytest.mark.parametrize(
    ("header", "mutations"),
    [
        ("", 0),
        ("kv=MTI=", 12),
        ("kv=MTI=;sn=12", 12),
        ("a=MTM=, kv=MTI=,kv=MTE=", 12),
        ("kv=", 0),
        ("kv=12", 0),
        ("kv=M!TI=", 0),
        ("kv=/w==", 0),
        ("kv=LTE=", 0),
        ("kv", 0),
        ("kv=" + "OTk5" * 3000, 0),
        ("jtqGc1I4=MDoyOA==", 0),
    ],
)
def test_tokens_of_requests(header: str, mutations: int) -> None:
    """A request's header tells the newest state that was seen; what is no token tells nothing."""
    assert seen_mutations(header) == mutations


def test_tokens_come_back() -> None:
    """The token of an answer, sent back with or without its sequence number, is understood."""
    for mutations in (0, 1, 9, 10, 99_999):
        token = sync_token(mutations)
        assert token.endswith(f";sn={mutations}")
        assert seen_mutations(token) == mutations
        assert seen_mutations(token.partition(";")[0]) == mutations


def test_slow(store: Emulator) -> None:
    """A slow endpoint answers everything later, blocks inside each other add up, others do not."""
    replica = store.replicas[0]

    def seconds() -> float:
        begin = time.perf_counter()
        read(replica)
        return time.perf_counter() - begin

    with replica.slow(0.1):
        assert seconds() > 0.09
        with replica.slow(0.1):
            assert seconds() > 0.19
        with replica.respond(lambda record: Scripted(503, body='{"value":0}', delay=0.1)):
            assert seconds() > 0.19
        assert read(store) == "old"
    with replica.slow(3600):
        assert read(store.replicas[1]) == "old"
    assert read(replica) == "old"
    assert [record.status for record in replica.requests] == [200, 200, 503, 200]


@pytest.mark.parametrize("name", ["down", "slow", "freeze", "lag"])
def test_faults_act_at_once_until_up(store: Emulator, name: str) -> None:
    """Called as they are, faults begin at once and end with `up()`, wherever they were begun."""
    for endpoint in (store, store.replicas[0]):
        store.set("k", "old")
        began = begin_fault(endpoint, name)
        store.set("k", "new")
        assert goes_wrong(endpoint, name)
        endpoint.up()
        assert not goes_wrong(endpoint, name)
        began.end()
        assert not goes_wrong(endpoint, name)


@pytest.mark.parametrize("name", ["down", "slow", "freeze", "lag"])
def test_a_fault_can_be_ended_by_itself(store: Emulator, name: str) -> None:
    """Each fault is ended alone by what its call returned; a second time nothing happens."""
    store.slow(0.0)
    fault = begin_fault(store, name)
    store.set("k", "new")
    assert goes_wrong(store, name)
    fault.end()
    fault.end()
    assert not goes_wrong(store, name)


@pytest.mark.parametrize("name", ["slow", "freeze", "lag"])
def test_up_leaves_the_faults_of_blocks(store: Emulator, name: str) -> None:
    """What is begun as a block lasts to its end, also when the endpoint comes up inside."""
    with begin_fault(store, name):
        store.set("k", "new")
        store.down()
        store.up()
        assert goes_wrong(store, name)
    assert not goes_wrong(store, name)


def test_down_as_a_block(store: Emulator) -> None:
    """An endpoint that is down for a block is up at its end."""
    with store.down():
        assert refused(store)
    assert read(store) == "old"


def test_a_vault_has_the_same_faults() -> None:
    """A vault is slow or down by the same calls."""
    with Vault() as vault:
        vault.down()
        vault.up()
        vault.slow(0.1)
        trusted = ssl.create_default_context(cafile=vault.ca_file)
        with httpx.Client(verify=trusted, trust_env=False, base_url=vault.url) as client:
            begin = time.perf_counter()
            client.get("/secrets/s")
            assert time.perf_counter() - begin > 0.09


def begin_fault(endpoint: Replica, name: str) -> Fault:
    """Begin a fault of a kind; slow is a tenth of a second."""
    return endpoint.slow(0.1) if name == "slow" else getattr(endpoint, name)()


def goes_wrong(endpoint: Replica, name: str) -> bool:
    """Whether a fault of a kind is seen, by a client that expects the new value soon."""
    if name == "down":
        return refused(endpoint)
    begin = time.perf_counter()
    value = read(endpoint)
    return time.perf_counter() - begin > 0.09 if name == "slow" else value == "old"


def test_slow_answers_tell_of_their_own_moment(store: Emulator) -> None:
    """A slow answer shows the state at the moment when it is given."""
    replica = store.replicas[0]
    with replica.slow(0.3):
        waiting = _started(lambda: read(replica))
        while not replica.requests:
            time.sleep(0.001)
        store.set("k", "new")
        assert waiting() == "new"


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_impossible_slowness(store: Emulator, seconds: float) -> None:
    """No answer comes before its request."""
    with pytest.raises(ValueError, match="before"), store.slow(seconds):
        pass


@pytest.mark.parametrize("ending", ["down", "close"])
def test_slow_answers_hold_up_nothing(
    scheme: Emulator, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With answers pending, an endpoint goes down and the emulator ends at once, and quietly."""
    caplog.set_level(logging.WARNING)
    replica = scheme.replicas[0]
    for _ in range(5 if ending == "down" else 1):  # how a connection ends is a matter of luck
        replica.clear_requests()
        with replica.slow(3600), replica.respond(lambda record: None):
            waiting = [_started(lambda: _fails(replica)) for _ in range(5)]
            while len(replica.requests) < 5:
                time.sleep(0.001)
            begin = time.perf_counter()
            getattr(replica if ending == "down" else scheme, ending)()
            assert time.perf_counter() - begin < 2
        assert {end() for end in waiting} == {True}
        if ending == "down":
            replica.up()
    assert caplog.records == []


def _fails(endpoint: Replica) -> bool:
    """Whether an answer never comes."""
    with client_of(endpoint) as client:
        try:
            ask(client)
        except httpx.TransportError as error:
            return not isinstance(error, httpx.TimeoutException)
    return False


def _started(job: Callable[[], object]) -> Callable[[], object]:
    """Do a job on a thread; what is returned waits for its result."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(job()))
    thread.start()

    def result() -> object:
        thread.join(20)
        return results[0]

    return result


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_nothing_is_left_over(*, tls: bool) -> None:
    """Emulators that end, up or down or never started, leave no thread and no socket."""
    _use_and_close(tls=tls)
    gc.collect()
    files, threads = _open_files(), threading.active_count()
    for _ in range(10):
        _use_and_close(tls=tls)
    gc.collect()
    assert _open_files() == files
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)  # threads of callbacks end by themselves
    assert threading.active_count() <= threads


def _use_and_close(*, tls: bool) -> None:
    Emulator(replicas=2, tls=tls).close()
    with Emulator(replicas=2, tls=tls) as store, ExitStack() as clients:
        kept = [clients.enter_context(client_of(each)) for each in (store, *store.replicas)]
        for client in kept:
            ask(client)
        store.replicas[0].down()
        store.replicas[0].up()
        store.replicas[1].down()
        with store.lag(), store.replicas[0].freeze():
            ask(kept[0])


def _open_files() -> int:
    folders = [Path("/proc/self/fd"), Path("/dev/fd")]
    return next((len(list(each.iterdir())) for each in folders if each.is_dir()), 0)


def test_a_taken_port_leaves_nothing_over(store: Emulator) -> None:
    """An emulator whose port is taken begins nothing, its replicas included."""
    port = int(store.endpoint.rpartition(":")[2])
    files = _open_files()
    for _ in range(3):
        with pytest.raises(OSError, match="in use"):
            Emulator(port=port, replicas=2)
    gc.collect()
    assert _open_files() == files


def test_events_bring_a_lagging_endpoint_up_to_date(store: Emulator) -> None:
    """The sync token of an event, given to the official client, makes a lagging replica tell."""
    replica = store.replicas[0]
    with (
        replica.lag(),
        AzureAppConfigurationClient.from_connection_string(replica.connection_string) as client,
    ):
        store.set("k", "new")
        assert value_at(client) == "old"
        client.update_sync_token(json.loads(json.dumps(replica.event("k")))["data"]["syncToken"])
        assert value_at(client) == "new"
