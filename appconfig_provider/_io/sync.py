"""Runs plans with threads.

A single effect is performed on the caller's thread. Several at once are performed on daemon threads
that end with this run. So no thread is left that a fork could break, and Ctrl-C waits for no
thread. Plans step, and the user's functions are called, on the thread that called `run`.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, TypeVar, cast

from appconfig_provider._fetch.exchange import MAX_CONCURRENCY
from appconfig_provider._io.local import perform_here
from appconfig_provider._io.names import look_up
from appconfig_provider._io.storage import Storage
from appconfig_provider._io.tokens import Tokens
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
    Failure,
    Invoke,
    Pending,
    Plan,
    ReadStored,
    ResolveSrv,
    Response,
    Schedule,
    Send,
    Stopped,
    VerifyConnections,
    WriteStored,
)
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.identity import DefaultAzureCredential

    from appconfig_provider._io.exchanges import Exchanges
    from appconfig_provider._io.network import Network

T = TypeVar("T")

WORKER = "appconfig-worker"
"""The name of a thread that performs effects beside others, as debuggers show it."""


class SyncDriver:
    """Performs effects with blocking calls; safe to use from one thread at a time."""

    def __init__(
        self,
        network: Callable[[], Network],
        clock: Clock,
        own: DefaultAzureCredential | None,
    ) -> None:
        self._network = network
        """Called before the first request: its module imports httpcore, which takes longer than all
        of this package, and a program that starts with a cache may never need it."""
        self._clock = clock
        self._http: dict[str, Exchanges] = {}
        """What sends requests, under the key ""; empty until the first request."""
        self._closed = False
        self._storage = Storage()
        self._tokens = Tokens(clock)
        self._own = own
        self._counts: dict[int, int] = {}
        """Requests sent, by thread: each thread adds to its own number, so no lock is needed, and
        none can stay locked when an exception interrupts."""

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        return sum(self._counts.copy().values())

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises.

        Raises:
            Stopped: the driver was closed, and the plan needs more than functions of the user.
        """
        for exchanges in self._http.values():
            exchanges.connections.begin()
        schedule = Schedule(plan)
        try:
            effects = schedule.start()
            while effects:
                if len(effects) == 1:
                    (pending,) = effects
                    effects = self._answer(schedule, pending, self.attempt(pending.effect))
                else:
                    effects = self._side_by_side(schedule, effects)
            return schedule.result()
        finally:
            schedule.close()
            for exchanges in self._http.values():
                exchanges.connections.end()

    def for_child(self) -> SyncDriver:
        """Return a driver for a forked child, which must not touch the parent's connections."""
        child = SyncDriver(self._network, self._clock, self._own)
        child._closed = self._closed
        return child

    def close(self) -> None:
        """Close all connections, and end the requests and the plans that other threads run."""
        self._closed = True
        for exchanges in self._http.values():
            exchanges.close()
        if self._own is not None:
            self._own.close()

    def _answer(self, schedule: Schedule[T], pending: Pending, outcome: object) -> list[Pending]:
        if self._closed and not isinstance(pending.effect, Invoke):
            # The failure of an interrupted request says nothing about its server.
            raise Stopped
        return schedule.answer(pending, outcome)

    def _side_by_side(self, schedule: Schedule[T], effects: list[Pending]) -> list[Pending]:
        """Perform several effects at once; return those still to do: one at most.

        The last one is performed on the caller's thread, which is faster than another thread.
        """
        workers = _Workers(self.attempt)
        try:
            while workers.busy or len(effects) > 1:
                workers.submit(effects)
                effects = self._answer(schedule, *workers.next_answer())
        except BaseException:
            workers.shut_down(wait=False)
            raise
        workers.shut_down(wait=True)
        return effects

    def attempt(self, effect: Effect[object]) -> object:
        """Perform an effect; return its outcome, which is a `Failure` when it raised."""
        try:
            return self._perform(effect)
        except Exception as error:
            return Failure(error)

    def _perform(self, effect: Effect[object]) -> object:
        if self._closed and not isinstance(effect, Invoke):
            raise Stopped
        match effect:
            case Send():
                return self._send(effect)
            case VerifyConnections(origin):
                self._exchanges().connections.verify(origin)
                return None
            case ResolveSrv():
                return look_up(effect, self._clock)
            case AcquireToken():
                return self._tokens.cached(effect) or self._new_token(effect)
            case ReadStored() | WriteStored():
                return self._storage.perform(effect)
            case _:
                return perform_here(effect, self._clock)

    def _exchanges(self) -> Exchanges:
        """Return what sends requests; its modules are imported when the first one is sent."""
        if not self._http:
            from appconfig_provider._io.connections import close_at_the_end
            from appconfig_provider._io.exchanges import Exchanges

            made = Exchanges(self._network(), self._clock)
            # Worker threads may come here at the same time, and must agree on one.
            if self._http.setdefault("", made) is made:
                close_at_the_end(self, made.connections.close)
                if self._closed:
                    made.close()
        return self._http[""]

    def _send(self, effect: Send) -> Response:
        # Worker threads send at the same time; adding to one shared number could lose a count.
        thread = threading.get_ident()
        exchanges = self._exchanges()
        self._counts[thread] = self._counts.get(thread, 0) + 1
        return exchanges.send(effect)

    def _new_token(self, wanted: AcquireToken) -> AccessToken:
        credential = cast("TokenCredential", wanted.credential)
        if wanted.claims is None:
            token = credential.get_token(wanted.scope)
        else:
            token = credential.get_token(wanted.scope, claims=wanted.claims)
        return self._tokens.keep(wanted, token)


class _Workers:
    """The worker threads of one run: one for each effect in flight, at most `MAX_CONCURRENCY`.

    The system may refuse to start more threads. Then those that run do the work; if there is none,
    the caller's thread does it.
    """

    def __init__(self, attempt: Callable[[Effect[object]], object]) -> None:
        self._attempt = attempt
        # `queue.SimpleQueue`, not a name imported from there: gevent may have replaced it since.
        self._work: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Pending, object]] = queue.SimpleQueue()
        self._own: deque[Pending] = deque()
        self._threads: list[threading.Thread] = []
        self._limit = MAX_CONCURRENCY
        self.busy = 0
        """How many effects were submitted and have no outcome yet."""

    def submit(self, effects: list[Pending]) -> None:
        """Give effects to the threads, but calls of the user's functions to the caller's thread."""
        for pending in effects:
            self.busy += 1
            if isinstance(pending.effect, Invoke):
                self._own.append(pending)
                continue
            if len(self._threads) < min(self.busy, self._limit):
                self._start_another()
            if self._threads:
                self._work.put(pending)
            else:
                self._own.append(pending)

    def _start_another(self) -> None:
        thread = threading.Thread(target=self._work_on, name=WORKER, daemon=True)
        # Added before it starts: if a signal interrupts us here, `shut_down` still ends it.
        self._threads.append(thread)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            self._threads.remove(thread)
            self._limit = len(self._threads)

    def next_answer(self) -> tuple[Pending, object]:
        """Return the next finished effect and its outcome."""
        self.busy -= 1
        if self._own:
            pending = self._own.popleft()
            return pending, self._attempt(pending.effect)
        return self._done.get()

    def shut_down(self, *, wait: bool) -> None:
        """Let the threads end; without `wait`, return while some still finish a request."""
        with suppress(Empty):
            while True:
                self._work.get_nowait()
        for _ in self._threads:
            self._work.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _work_on(self) -> None:
        while (pending := self._work.get()) is not None:
            # A void effect is not performed: its plan was closed while the effect was in the queue.
            outcome = None if pending.void else self._attempt(pending.effect)
            self._done.put((pending, outcome))
