"""Performs effects in virtual time, several refreshes side by side if the provider lets them."""

from __future__ import annotations

import inspect
from typing import Protocol, TypeVar

from azure.core.credentials import AccessToken

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._io.storage import MAX_WAIT, CacheBlocked
from appconfig_provider._io.tokens import Tokens
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
    Failure,
    Invoke,
    Pending,
    Plan,
    ReadFile,
    ReadStored,
    ResolveSrv,
    Schedule,
    Send,
    Sleep,
    VerifyConnections,
    WriteStored,
)
from tests.simulation.network import Answer, Network
from tests.simulation.run import Run
from tests.simulation.world import Mailbox, RuleBroken, World
from tests.support.files import Files

T = TypeVar("T")


class Watcher(Protocol):
    """Who is told what a driver does: the life of a provider, or of a client."""

    def begins(self, plan: str) -> Run:
        """Take note of a plan that begins to run."""
        ...

    def ends(self, run: Run, result: object) -> None:
        """Take note of what a plan returned."""
        ...

    def breaks_off(self, run: Run) -> None:
        """Take note of a plan that was cancelled, or raised."""
        ...

    def sends(self, run: Run, send: Send) -> None:
        """Take note of a request."""
        ...

    def acts(self) -> None:
        """Be the one whose process calls a function of the user next."""
        ...


class Driver:
    """What the runtime for asyncio asks of a driver; `life` hears of everything."""

    def __init__(self, world: World, network: Network, files: Files) -> None:
        self._world = world
        self._network = network
        self._files = files
        self._tokens = Tokens(world)
        self._hanging = False
        """Whether a write to the disk has not ended yet."""
        self.life: Watcher | None = None
        self.closed = False
        self.sent = 0
        """Requests sent so far."""

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return or raise what it does."""
        life, name = self._living(), repr(plan)
        run = life.begins(name)
        schedule = Schedule(plan)
        arrived: Mailbox[tuple[Pending, object, Answer | None]] = Mailbox()
        ended = False
        try:
            effects = schedule.start()
            begun: list[Pending] = []
            while effects or any(not pending.void for pending in begun):
                begun += effects
                effects = await self._next(schedule, effects, arrived, run)
            result = schedule.result()
            ended = True
            life.ends(run, result)
            return result
        finally:
            schedule.close()
            if not ended:
                life.breaks_off(run)

    def for_child(self) -> Driver:
        """Return a driver for a forked child."""
        child = Driver(self._world, self._network, self._files)
        child.closed = self.closed
        return child

    async def close(self) -> None:
        """Close."""
        self.closed = True
        await self._world.pause(0.0)

    def _living(self) -> Watcher:
        if self.life is None:
            raise RuleBroken("a driver is used before anybody lives by it")
        return self.life

    async def _next(
        self,
        schedule: Schedule[T],
        effects: list[Pending],
        arrived: Mailbox[tuple[Pending, object, Answer | None]],
        run: Run,
    ) -> list[Pending]:
        """Begin what is to be done, take one answer, and return what it made possible."""
        if effects and isinstance(effects[0].effect, Invoke):
            (pending,) = effects
            return schedule.answer(pending, await self._invoke(effects[0].effect))
        for pending in effects:
            self._begin(pending, arrived, run)
        pending, outcome, answer = await arrived
        if not pending.void:
            run.hears(pending.effect, outcome, answer, self._world.now)
        return schedule.answer(pending, outcome)

    def _begin(
        self, pending: Pending, arrived: Mailbox[tuple[Pending, object, Answer | None]], run: Run
    ) -> None:
        match pending.effect:
            case Send() as send:
                self._send(send, pending, arrived, run)
            case Sleep(seconds):
                self._world.later(seconds, arrived.put, (pending, None, None))
            case VerifyConnections():
                arrived.put((pending, None, None))
            case AcquireToken() as wanted:
                token = self._tokens.cached(wanted) or self._new_token(wanted)
                self._world.later(self._network.delay(), arrived.put, (pending, token, None))
            case ResolveSrv(name, deadline):
                answer, seconds = self._look_up(name, deadline)
                self._world.later(seconds, arrived.put, (pending, answer, None))
            case ReadFile() as read:
                run.checks_file(self._files.text(read.path), self._world.now)
                arrived.put((pending, self._read(read), None))
            case ReadStored() as read:
                self._read_stored(read, pending, arrived)
            case WriteStored() as written:
                self._write(written, pending, arrived)
            case other:
                raise RuleBroken(f"no driver performs {other!r}")

    def _send(
        self,
        send: Send,
        pending: Pending,
        arrived: Mailbox[tuple[Pending, object, Answer | None]],
        run: Run,
    ) -> None:
        if self._world.now >= send.deadline:
            failure = Failure(RequestFailed(Kind.OUT_OF_TIME, send.request.origin, "out of time"))
            run.refuses(send.request.origin, self._world.now)
            arrived.put((pending, failure, None))
            return
        self.sent += 1
        self._living().sends(run, send)

        def deliver(answer: Answer) -> None:
            arrived.put((pending, answer.outcome, answer))

        if not self._network.carry(send, deliver):
            run.clean = False

    def _read(self, effect: ReadFile) -> object:
        try:
            return self._files.perform(effect)
        except OSError as error:
            return Failure(error)

    def _read_stored(
        self,
        effect: ReadStored,
        pending: Pending,
        arrived: Mailbox[tuple[Pending, object, Answer | None]],
    ) -> None:
        """Read what is kept; a cache that hangs raises that itself, and it takes its time."""
        try:
            arrived.put((pending, effect.cache.read(effect.now), None))
        except CacheBlocked as error:
            self._world.later(MAX_WAIT, arrived.put, (pending, Failure(error), None))
        except Exception as error:  # as the real drivers do: an exception is an outcome
            arrived.put((pending, Failure(error), None))

    def _write(
        self,
        effect: WriteStored,
        pending: Pending,
        arrived: Mailbox[tuple[Pending, object, Answer | None]],
    ) -> None:
        """Write to the disk: at once, not at all, or long after nobody waits for it any more."""
        world, network = self._world, self._network

        def write() -> str:
            self._hanging = False
            return effect.cache.write(effect.text, effect.loaded, effect.confirmed, effect.digest)

        def deliver() -> None:
            arrived.put((pending, write(), None))

        faulty = not network.calm and world.chance(network.scenario.disk_faults)
        if self._hanging:
            arrived.put((pending, Failure(CacheBlocked("an earlier write hangs")), None))
        elif not faulty:
            world.later(network.delay() / 10, deliver)
        elif world.chance(0.5):
            world.counts["disk full"] += 1
            arrived.put((pending, Failure(OSError(28, "No space left on device")), None))
        else:
            world.counts["disk hangs"] += 1
            self._hanging = True
            failure = Failure(CacheBlocked("a write hangs"))
            world.later(MAX_WAIT, arrived.put, (pending, failure, None))
            world.later(world.between(MAX_WAIT, 3 * MAX_WAIT), write)

    def _new_token(self, wanted: AcquireToken) -> AccessToken:
        self._world.counts["token"] += 1
        number = self._world.counts["token"]
        return self._tokens.keep(wanted, AccessToken(f"t{number}", int(self._world.time()) + 3600))

    def _look_up(self, name: str, deadline: float) -> tuple[object, float]:
        """Return what DNS says, and after how many seconds."""
        scenario = self._network.scenario
        self._world.counts["look-up"] += 1
        if not self._network.calm and self._world.chance(scenario.faults * 2):
            return Failure(OSError("no name server")), max(0.0, deadline - self._world.now)
        hosts = [endpoint.removeprefix("https://") for endpoint in scenario.endpoints]
        service = name.partition(".")[0]
        place = 0 if service == "_origin" else int(service.removeprefix("_alt")) + 1
        return tuple(hosts[place : place + 1]), self._network.delay()

    async def _invoke(self, effect: Effect[object]) -> object:
        """Call a function of the user; what it raises is the answer."""
        if not isinstance(effect, Invoke):
            raise RuleBroken("an invocation does not stand alone")
        try:
            self._living().acts()
            answer = effect.function(*effect.arguments)
            return await answer if inspect.isawaitable(answer) else answer
        except RuleBroken:
            raise
        except Exception as error:  # as the real drivers do: an exception is an outcome
            return Failure(error)
