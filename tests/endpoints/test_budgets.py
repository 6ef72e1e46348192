"""How long a refresh may take, by whether somebody waits for it, and what its error says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import Polling
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Effect, Request, Response, Send
from appconfig_provider.errors import StartupTimeout
from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential
from tests.support.adapter import Loader
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    reference,
    setting,
    single,
)

PAGES = 40


class Driver(ScriptedDriver):
    """Remembers the deadlines of requests, too."""

    def __init__(self, answer: Callable[[Request], Response], clock: FakeClock) -> None:
        super().__init__(answer, clock)
        self.deadlines: list[tuple[str, float]] = []

    def _perform(self, effect: Effect[object]) -> object:
        if isinstance(effect, Send):
            self.deadlines.append((effect.request.origin, effect.deadline))
        return super()._perform(effect)


class Slow:
    """A store of many pages, each of which takes as long as a test says, in virtual time."""

    def __init__(self, *, in_background: bool = False, **keywords: object) -> None:
        self.clock = FakeClock()
        self.seconds = 0.0
        self.version = 1
        self.driver = Driver(self.answer, self.clock)
        given: dict[str, Any] = {
            "connection_string": CONNECTION,
            "refresh_on": ["sentinel"],
            "replica_discovery_enabled": False,
            "retry_total": 0,
            **keywords,
        }
        self.options = Keywords(**given).checked()
        self.context = context_for(self.clock, self.options)
        if in_background:
            self.context = replace(self.context, in_background=True)

    def answer(self, request: Request) -> Response:
        """Answer as the store does, slowly where it is a page."""
        if request.target.startswith("/kv/sentinel"):
            return single(setting("sentinel", str(self.version), f"s{self.version}"))
        self.clock.advance(self.seconds)
        number = int(request.target.partition("after=")[2] or 0)
        answer = page([setting(f"k{number}", str(self.version))], f"{number}-{self.version}")
        if number == PAGES - 1:
            return answer
        link = f'</kv?after={number + 1}>; rel="next"'
        return Response(200, {**answer.headers, "link": link}, answer.body)

    def start(self) -> State:
        """Load."""
        return self.driver.run(start(self.context))

    def reload(self, state: State) -> tuple[Outcome[State], float]:
        """Refresh when it is due, after something moved; return how long it took, too."""
        self.version += 1
        self.clock.advance(max(0.0, state.due - self.clock.monotonic()))
        began = self.clock.monotonic()
        outcome = self.driver.run(refresh(self.context, state, force=False))
        return outcome, self.clock.monotonic() - began


def test_a_reload_that_is_waited_for_has_thirty_seconds() -> None:
    """refresh() gives up a reload after 30 s, whatever startup_timeout is, and says why."""
    store = Slow(startup_timeout=300)
    state = store.start()
    store.seconds = 2.0
    outcome, took = store.reload(state)
    assert outcome.changes is None
    assert "the time of a reload (30 s) was used up" in str(outcome.error)
    assert took == 30
    store.seconds = 0.7
    outcome, took = store.reload(outcome.state)
    assert outcome.error is None
    assert 27 < took < 30


def test_who_waits_never_has_more_than_a_first_load() -> None:
    """A `startup_timeout` of less than 30 s bounds a reload that is waited for, too."""
    store = Slow(startup_timeout=7)
    state = store.start()
    store.seconds = 1.0
    outcome, took = store.reload(state)
    assert "the time of a reload (7 s) was used up" in str(outcome.error)
    assert took == 7


def test_a_reload_in_the_background_has_the_time_of_a_first_load() -> None:
    """A poller, whom nobody waits for, has startup_timeout for a reload, and says so."""
    store = Slow(startup_timeout=90, in_background=True)
    state = store.start()
    store.seconds = 2.0
    outcome, took = store.reload(state)
    assert outcome.error is None
    assert took == 80
    store.seconds = 3.0
    outcome, took = store.reload(outcome.state)
    assert "the time of a reload (90 s) was used up" in str(outcome.error)
    assert took == 90


def test_without_a_start_up_time_a_poller_has_the_default() -> None:
    """`startup_timeout=0` is one attempt per endpoint for load(), 100 s for a poller's reload."""
    store = Slow(startup_timeout=0, in_background=True)
    state = store.start()
    store.seconds = 3.0
    outcome, took = store.reload(state)
    assert "the time of a reload (100 s) was used up" in str(outcome.error)
    assert 100 <= took < 103


def test_a_first_load_says_that_its_time_is_used_up() -> None:
    """The failure of an endpoint that took all of startup_timeout names it."""
    store = Slow(startup_timeout=20)
    store.seconds = 1.0
    with pytest.raises(NobodyAnswered) as caught:
        store.start()
    assert "startup_timeout=20 s was used up" in str(caught.value.failures[0])
    assert store.clock.monotonic() == 20


VAULT = "https://v.vault.azure.net"


def test_the_time_of_a_poller_that_starts_has_its_own_name() -> None:
    """Where `Polling.auto(init_wait=...)` says how long load() may take, the error says so."""
    store = Slow(polling=Polling.auto(init_wait=5))
    store.seconds = 1.0
    with pytest.raises(NobodyAnswered, match="no usable answer within init_wait=5 s") as caught:
        store.start()
    assert "init_wait=5 s was used up" in str(caught.value.failures[0])


def with_secrets(store: Slow) -> None:
    """Make every page of a store a reference to the same secret of its version."""
    plain = store.driver.answer

    def answer(request: Request) -> Response:
        if request.origin == VAULT:
            if sum(one.origin == VAULT for one in store.driver.requests) % 2:
                challenge = 'Bearer resource="https://vault.azure.net"'
                return Response(401, {"www-authenticate": challenge})
            return Response(200, {}, b'{"value": "hidden"}')
        whole = plain(request)
        if not request.target.startswith("/kv?"):
            return whole
        one = page([reference("ref", f"{VAULT}/secrets/s{store.version}")], f"r{store.version}")
        return Response(200, {**whole.headers, **one.headers}, one.body)

    store.driver.answer = answer


def deadlines(store: Slow) -> list[float]:
    """Return the deadlines of the requests to the vault."""
    return [deadline for origin, deadline in store.driver.deadlines if origin == VAULT]


def test_the_secrets_of_a_reload_have_what_the_load_left() -> None:
    """A load that took 28 of its 30 s leaves two for the vault, whoever waits."""
    store = Slow(startup_timeout=300, keyvault_credential=StaticCredential())
    with_secrets(store)
    state = store.start()
    store.driver.deadlines.clear()
    store.seconds = 0.7
    outcome, took = store.reload(state)
    assert outcome.error is None
    began = store.clock.monotonic() - took
    assert deadlines(store) == pytest.approx([began + 30] * 2)


def test_a_rotation_by_itself_has_the_time_of_a_reload() -> None:
    """Where only secrets are due, the vault has thirty seconds, not those of a check."""
    store = Slow(
        startup_timeout=300,
        keyvault_credential=StaticCredential(),
        secret_refresh_interval=20,
    )
    with_secrets(store)
    state = store.start()
    store.driver.deadlines.clear()
    store.clock.advance(20)
    outcome = store.driver.run(refresh(store.context, state, force=False))
    assert outcome.error is None
    assert deadlines(store) == [store.clock.monotonic() + 30] * 2


@pytest.fixture
def silent_store() -> Iterator[Emulator]:
    """Give a store over real HTTP that a test can make silent."""
    with Emulator() as emulator:
        emulator.set_many({"k": "1", "sentinel": "1"})
        yield emulator


def test_a_check_says_that_its_time_is_used_up(load: Loader, silent_store: Emulator) -> None:
    """A store that stays silent ends a check after its timeouts; the error names them."""
    with load(
        connection_string=silent_store.connection_string,
        replicas=["http://127.0.0.1:1"],
        credential=None,
        refresh_on=["sentinel"],
        connect_timeout=0.1,
        read_timeout=0.3,
    ) as config:
        with silent_store.respond(lambda _: Scripted(delay=30)):
            began = time.monotonic()
            assert config.refresh(force=True) is False
            assert time.monotonic() - began < 2
        reported = str(config.status.last_error)
        assert (
            "its share of the time of a check (0.4 s, connect_timeout + read_timeout)" in reported
        )


def test_a_load_says_that_its_time_is_used_up(load: Loader, silent_store: Emulator) -> None:
    """A store that stays silent at the start ends load() with the keyword to lengthen."""
    with (
        silent_store.respond(lambda _: Scripted(delay=30)),
        pytest.raises(StartupTimeout, match=r"startup_timeout=0.5 s: .*answer to GET /kv"),
        load(connection_string=silent_store.connection_string, startup_timeout=0.5),
    ):
        pass


@pytest.mark.parametrize(
    ("in_background", "limit"), [(False, 20 + 30), (True, 20 + 100)], ids=["caller", "poller"]
)
def test_a_poller_reloads_in_the_background(in_background: bool, limit: float) -> None:
    """A reload of a poller, which nobody waits for, is overdue later than one of a caller."""
    overdue: list[float | None] = []
    reloaded = threading.Event()

    def hang(_changes: object) -> None:
        clock.advance(limit)
        overdue.append(config.status.overdue)
        clock.advance(7)
        overdue.append(config.status.overdue)
        reloaded.set()

    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set("sentinel", "1")
        with appconfig_provider.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.auto() if in_background else None,
            on_refresh_success=hang,
        ) as config:
            store.set("sentinel", "2")
            if in_background:
                clock.advance(30 * 1.1)
            else:
                config.refresh(force=True)
            assert reloaded.wait(10)
    assert overdue == [None, pytest.approx(7)]
