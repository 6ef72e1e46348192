"""Runs plans with asyncio.

A single effect is awaited right here, several become tasks. Plans step in the task that called
`run`; when that task is cancelled, the tasks are too, and the plan is closed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import anyio
import httpcore

from appconfig_provider._drive.answers import Answer
from appconfig_provider._drive.http import (
    CUT_OFF,
    TRANSPORT_ERRORS,
    LaneKinds,
    Lanes,
    Unheard,
    failure,
    time_left,
    to_httpcore,
    usable,
    worth_repeating,
)
from appconfig_provider._drive.names import look_up_async
from appconfig_provider._drive.network import Network
from appconfig_provider._drive.threads import on_thread
from appconfig_provider._drive.tokens import Tokens
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
    Failure,
    Invoke,
    Plan,
    ResolveSrv,
    Response,
    Schedule,
    Send,
    Sleep,
    Ticket,
)
from appconfig_provider._rest.exchange import MAX_LANES
from appconfig_provider.options import Options
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity.aio import DefaultAzureCredential

T = TypeVar("T")

Lane: TypeAlias = "httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool"

_KINDS: LaneKinds[Lane] = LaneKinds(
    httpcore.AsyncHTTPConnection, httpcore.AsyncHTTPProxy, httpcore.AsyncSOCKSProxy
)


class AsyncDriver:
    """Performs effects on the running loop. Under another loop it opens new connections."""

    def __init__(self, options: Options, clock: Clock, own: DefaultAzureCredential | None) -> None:
        self._options = options
        self._network = Network.of(options)
        self._clock = clock
        self._lanes: Lanes[Lane] = Lanes()
        self._free = asyncio.Semaphore(MAX_LANES)
        self._homes: dict[asyncio.AbstractEventLoop, tuple[Lanes[Lane], asyncio.Semaphore]] = {}
        """What belongs to each loop: a poller may live on one, and others refresh."""
        self._tokens = Tokens(clock)
        self._own = own
        self._closed = False
        self.sent = 0
        """Requests sent so far."""

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return or raise what it does."""
        schedule = Schedule(plan)
        try:
            self._settle_in()
            tickets = schedule.start()
            while tickets:
                if len(tickets) == 1:
                    (ticket,) = tickets
                    tickets = schedule.answer(ticket, await self._attempt(ticket.effect))
                else:
                    tickets = await self._side_by_side(schedule, tickets)
            return schedule.result()
        finally:
            schedule.close()

    def for_child(self) -> AsyncDriver:
        """Return a driver for a forked child, which must not touch the parent's connections."""
        child = AsyncDriver(self._options, self._clock, self._own)
        child._closed = self._closed
        return child

    async def close(self) -> None:
        """Close the idle connections; those in use are closed when their request is over."""
        self._closed = True
        self._settle_in()
        for lane in self._lanes.drain():
            await lane.aclose()
        if self._own is not None:
            await self._own.close()

    def _settle_in(self) -> None:
        """Use the running loop; connections and semaphores of another one are of no use here."""
        loop = running_loop()
        if loop not in self._homes:
            self._homes = {one: home for one, home in self._homes.items() if not one.is_closed()}
            self._homes[loop] = Lanes(), asyncio.Semaphore(MAX_LANES)
        self._lanes, self._free = self._homes[loop]

    async def _side_by_side(self, schedule: Schedule[T], tickets: list[Ticket]) -> list[Ticket]:
        """Perform several effects at once; return when at most one is left to do."""
        under_way: dict[asyncio.Task[object], Ticket] = {}
        try:
            while under_way or len(tickets) > 1:
                for ticket in tickets:
                    under_way[asyncio.create_task(self._queued(ticket))] = ticket
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                tickets = []
                for task in done:
                    outcome = None if task.cancelled() else task.result()
                    tickets += schedule.answer(under_way.pop(task), outcome)
                tickets = [ticket for ticket in tickets if not ticket.void]
                for task, ticket in under_way.items():
                    if ticket.void:
                        task.cancel()
            return tickets
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _queued(self, ticket: Ticket) -> object:
        async with self._free:
            return None if ticket.void else await self._attempt(ticket.effect)

    async def _attempt(self, effect: Effect[object]) -> object:
        """Perform an effect; an exception is an outcome, a cancellation is not."""
        try:
            return await self._perform(effect)
        except asyncio.CancelledError as error:
            if not isinstance(effect, Invoke) or _being_cancelled():
                raise
            own = RuntimeError(f"{effect.function!r} ended with a cancellation of its own")
            own.__cause__ = error
            return Failure(own)
        except Exception as error:
            return Failure(error)

    async def _perform(self, effect: Effect[object]) -> object:
        match effect:
            case Send():
                return await self._send(effect)
            case ResolveSrv():
                return await look_up_async(effect, self._clock)
            case Sleep(seconds):
                await self._clock.asleep(seconds)
                return None
            case AcquireToken():
                return self._tokens.cached(effect) or await self._new_token(effect)
            case Invoke(function, arguments, blocking):
                answer = await on_thread(function, arguments) if blocking else function(*arguments)
                return await answer if inspect.isawaitable(answer) else answer
            case _:
                raise TypeError(f"no driver performs {effect!r}")

    async def _send(self, effect: Send, *, anew: bool = False) -> Response:
        request = to_httpcore(effect, self._clock, self._network)
        origin = effect.request.origin
        idle = None if anew else await self._idle_lane(origin)
        lane = idle or _KINDS.open(self._network, origin)
        self.sent += 1
        try:
            with anyio.fail_after(time_left(effect, self._clock)):
                answer = await self._exchange(lane, request, effect)
        except BaseException as error:
            # What is left of a broken or cancelled exchange is not worth knowing: a connection
            # may be lost in between, and the lane would wait for it for ever.
            with anyio.CancelScope(shield=True):
                await lane.aclose()
            if idle is not None and worth_repeating(effect, error):
                return await self._send(effect, anew=True)
            if isinstance(error, TRANSPORT_ERRORS):
                raise failure(effect, error) from error
            raise
        self._lanes.give_back(origin, lane)
        if self._closed:
            await self.close()
        return answer

    async def _exchange(self, lane: Lane, request: httpcore.Request, effect: Send) -> Response:
        try:
            coming = await lane.handle_async_request(request)
        except CUT_OFF as error:
            raise Unheard from error
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
            asked: Awaitable[AccessToken] | AccessToken = credential.get_token(wanted.scope)
        else:
            asked = credential.get_token(wanted.scope, claims=wanted.claims)
        token = await asked if inspect.isawaitable(asked) else asked
        return self._tokens.keep(wanted, token)

    async def _idle_lane(self, origin: str) -> Lane | None:
        """Return a lane that was used before; those whose connection has ended are let go."""
        while (lane := self._lanes.take(origin)) is not None:
            if usable(lane):
                return lane
            await lane.aclose()
        return None


def _being_cancelled() -> bool:
    """Tell whether somebody cancels the running task; the user's function may merely say so."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    # Python 3.10 cannot tell; there a cancellation is taken for what it seems.
    return cancelling is None or cancelling() > 0


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of asyncio that this task runs on.

    Raises:
        RuntimeError: there is none; the text says what to do.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "appconfig_provider.aio needs asyncio, and no event loop of asyncio runs here. Under "
            "trio call appconfig_provider.load() and refresh() by trio.to_thread.run_sync()"
        ) from None
