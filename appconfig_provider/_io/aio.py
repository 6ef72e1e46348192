"""Runs plans with asyncio.

A single effect is awaited in the task that called `run`; several become tasks of their own. Plans
step in the task that called `run`. When it is cancelled, the other tasks are cancelled too, and the
plan is closed.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import anyio
import httpcore

from appconfig_provider._fetch.exchange import MAX_CONCURRENCY
from appconfig_provider._io.aio_local import outcome_of, perform_here
from appconfig_provider._io.aio_streams import AsyncBackend
from appconfig_provider._io.answers import Answer
from appconfig_provider._io.connections import (
    Connection,
    ConnectionKinds,
    Connections,
    close_at_the_end,
)
from appconfig_provider._io.http import (
    CONNECTION_ENDED,
    NoAnswer,
    failure,
    may_repeat,
    time_left,
    to_httpcore,
)
from appconfig_provider._io.names import look_up_async
from appconfig_provider._io.network import Network
from appconfig_provider._io.storage import MAX_WAIT, Storage, blocked
from appconfig_provider._io.streams import Unsolicited
from appconfig_provider._io.threads import on_thread, running_loop
from appconfig_provider._io.tokens import Tokens
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
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
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity.aio import DefaultAzureCredential

T = TypeVar("T")

Http: TypeAlias = "httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool"

_Connections: TypeAlias = "Connections[Http, AsyncBackend]"

_KINDS: ConnectionKinds[Http, AsyncBackend] = ConnectionKinds(
    httpcore.AsyncHTTPConnection,
    httpcore.AsyncHTTPProxy,
    httpcore.AsyncSOCKSProxy,
    AsyncBackend,
)


class _LoopResources:
    """What belongs to one event loop; a poller and calls of `refresh()` may use different ones."""

    def __init__(self) -> None:
        self.connections: _Connections = Connections()
        self.free = asyncio.Semaphore(MAX_CONCURRENCY)


class _Done:
    """The outcome of an effect. A task's repr shows its result, but not what is in this object."""

    __slots__ = ("outcome",)

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome


class AsyncDriver:
    """Performs effects on the running loop. Under another loop it opens new connections."""

    def __init__(self, network: Network, clock: Clock, own: DefaultAzureCredential | None) -> None:
        self._network = network.as_of_now()
        self._clock = clock
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopResources] = {}
        close_at_the_end(self, partial(_close_all, self._by_loop))
        self._tokens = Tokens(clock)
        self._own = own
        self._storage = Storage()
        self._closed = False
        self._sending: dict[anyio.CancelScope, asyncio.AbstractEventLoop] = {}
        """The requests that are on their way, and their loops."""
        self.sent = 0
        """Requests sent so far."""

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises.

        Raises:
            Stopped: the driver was closed, and the plan needs more than functions of the user.
        """
        schedule = Schedule(plan)
        try:
            return await self._run(schedule, self._loop_resources())
        finally:
            schedule.close()

    async def _run(self, schedule: Schedule[T], resources: _LoopResources) -> T:
        resources.connections.begin()
        try:
            effects = schedule.start()
            while effects:
                if len(effects) == 1:
                    (pending,) = effects
                    outcome = await self._attempt(pending.effect, resources)
                    effects = self._answer(schedule, pending, outcome)
                    del outcome  # it may be a secret, and frames are shown by error trackers
                else:
                    effects = await self._side_by_side(schedule, effects, resources)
            return schedule.result()
        finally:
            resources.connections.end()

    def for_child(self) -> AsyncDriver:
        """Return a driver for a forked child, which must not touch the parent's connections."""
        child = AsyncDriver(self._network, self._clock, self._own)
        child._closed = self._closed
        return child

    async def close(self) -> None:
        """Close all connections, and end the requests and the plans that other tasks run."""
        self._closed = True
        _close_all(self._by_loop)
        here = asyncio.get_running_loop()
        for scope, loop in list(self._sending.items()):
            if loop is here:
                scope.deadline = -math.inf
            else:
                with suppress(RuntimeError):  # that loop was closed, and its requests with it
                    loop.call_soon_threadsafe(setattr, scope, "deadline", -math.inf)
        if self._own is not None:
            await self._own.close()

    def _loop_resources(self) -> _LoopResources:
        """Return the resources of the running loop; connections of other loops cannot be used."""
        loop = running_loop()
        if loop not in self._by_loop:
            for other in [one for one in list(self._by_loop) if one.is_closed()]:
                self._by_loop.pop(other).connections.abandon()
            self._by_loop[loop] = _LoopResources()
            if self._closed:
                self._by_loop[loop].connections.close()
        return self._by_loop[loop]

    def _answer(self, schedule: Schedule[T], pending: Pending, outcome: object) -> list[Pending]:
        if self._closed and not isinstance(pending.effect, Invoke):
            # The failure of an interrupted request says nothing about its server.
            raise Stopped
        return schedule.answer(pending, outcome)

    async def _side_by_side(
        self, schedule: Schedule[T], effects: list[Pending], resources: _LoopResources
    ) -> list[Pending]:
        """Perform several effects at once; return those still to do: one at most.

        The last one is awaited without a task, which is faster.
        """
        under_way: dict[asyncio.Task[_Done | None], Pending] = {}
        try:
            while under_way or len(effects) > 1:
                for pending in effects:
                    under_way[asyncio.create_task(self._queued(pending, resources))] = pending
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                effects = []
                for task in done:
                    done_one = None if task.cancelled() else task.result()
                    outcome = None if done_one is None else done_one.outcome
                    effects += self._answer(schedule, under_way.pop(task), outcome)
                    del outcome  # it may be a secret, and frames are shown by error trackers
                effects = [pending for pending in effects if not pending.void]
                for task, pending in under_way.items():
                    if pending.void:
                        task.cancel()
            return effects
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _queued(self, pending: Pending, resources: _LoopResources) -> _Done | None:
        async with resources.free:
            return None if pending.void else _Done(await self._attempt(pending.effect, resources))

    async def _attempt(self, effect: Effect[object], resources: _LoopResources) -> object:
        """Perform an effect; return its outcome, which is a `Failure` when it raised."""
        return await outcome_of(effect, self._perform(effect, resources.connections))

    async def _perform(self, effect: Effect[object], connections: _Connections) -> object:
        if self._closed and not isinstance(effect, Invoke):
            raise Stopped
        match effect:
            case Send():
                return await self._send(effect, connections)
            case VerifyConnections(origin):
                connections.verify(origin)
                return None
            case ResolveSrv():
                return await look_up_async(effect, self._clock)
            case AcquireToken():
                return self._tokens.cached(effect) or await self._new_token(effect)
            case ReadStored() | WriteStored():
                return await self._call_cache(effect)
            case _:
                return await perform_here(effect, self._clock)

    async def _call_cache(self, effect: ReadStored | WriteStored) -> object:
        call = self._storage.begin(effect)
        with anyio.move_on_after(MAX_WAIT):
            return await on_thread(call, ())
        raise blocked()

    async def _send(
        self, effect: Send, connections: _Connections, *, anew: bool = False
    ) -> Response:
        request = to_httpcore(effect, self._clock, self._network)
        origin = effect.request.origin
        idle = None if anew else connections.take(origin)
        connection = idle or connections.add(_KINDS.open(self._network, origin))
        self.sent += 1
        try:
            left = time_left(effect, self._clock)
            connection.backend.begin(left)
            with anyio.fail_after(left) as scope, self._noted(scope):
                answer = await self._exchange(connection, request, effect)
        except BaseException as error:
            # The rest of the answer may still come on this connection: never use it again.
            connections.drop(connection)
            if isinstance(error, Unsolicited):
                connections.distrust(origin)
            if idle is not None and may_repeat(effect, error):
                return await self._send(effect, connections, anew=True)
            if isinstance(error, Exception):
                connected = connection.backend.connected
                raise failure(effect, error, self._network, connected=connected) from error
            raise
        connections.keep(origin, connection)
        return answer

    @contextmanager
    def _noted(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Let `close` find a request."""
        self._sending[scope] = asyncio.get_running_loop()
        try:
            yield
        finally:
            del self._sending[scope]

    async def _exchange(
        self, connection: Connection[Http, AsyncBackend], request: httpcore.Request, effect: Send
    ) -> Response:
        try:
            coming = await connection.http.handle_async_request(request)
        except CONNECTION_ENDED as error:
            raise NoAnswer from error
        try:
            answer = Answer(effect, self._clock, coming)
            async for chunk in coming.aiter_stream():
                answer.add(chunk)
        finally:
            await coming.aclose()
        return answer.whole()

    async def _new_token(self, wanted: AcquireToken) -> AccessToken:
        credential = cast("AsyncTokenCredential", wanted.credential)
        if wanted.claims is None:
            answer: Awaitable[AccessToken] | AccessToken = credential.get_token(wanted.scope)
        else:
            answer = credential.get_token(wanted.scope, claims=wanted.claims)
        token = await answer if inspect.isawaitable(answer) else answer
        return self._tokens.keep(wanted, token)


def _close_all(by_loop: Mapping[asyncio.AbstractEventLoop, _LoopResources]) -> None:
    for loop, resources in list(by_loop.items()):
        if loop.is_closed():
            resources.connections.abandon()
        resources.connections.close()
