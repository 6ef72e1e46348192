"""One client in its process: what is done to it, what it owes, and what its reads show."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Send
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, Hooks
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.localfiledatasource import LocalFileDataSource
from appconfig_provider.configcat.pollingmode import PollingMode
from tests.simulation.configcat import laws
from tests.simulation.configcat.attempts import Attempt, Owed
from tests.simulation.configcat.client import Client
from tests.simulation.configcat.publishers import LOCAL, LOCAL_ONLY
from tests.simulation.configcat.scenario import AUTO, LAZY, MANUAL, Kind
from tests.simulation.driver import Driver
from tests.simulation.run import Run
from tests.simulation.scenario import READ_TIMEOUT
from tests.simulation.world import NOTHING
from tests.support.configcat_source import KEY, OLD_KEY

if TYPE_CHECKING:
    from tests.simulation.configcat.stage import Stage

HOOK_PAUSE = 0.5
"""The longest time that a hook takes, in seconds."""

_inside: ContextVar[bool] = ContextVar("_inside", default=False)
"""True in a hook that a refresh calls, and in the tasks that it begins."""


class Life:
    """A client, its driver, what it owes, and the refresh under way."""

    def __init__(self, stage: Stage, name: str, kind: Kind, parent: Life | None = None) -> None:
        self.stage = stage
        self.world = stage.world
        self.name = name
        self.kind = kind
        self.forked = parent is not None
        self.closed = False
        self.flight: Attempt | None = None
        """The refresh under way."""
        self.owed = Owed(kind, stage.scenario.chance)
        self.forced = self.readied = self.called_version = 0
        self.seen = self.seen_locally = 0
        """The newest publishes that a read has shown."""
        self.born_at = self.world.now
        self.first_ended_at = self.closed_at = math.inf
        self._next: tuple[State, bool] | None = None
        self.driver: Driver
        self.client: Client
        if parent is None:
            self.driver = Driver(self.world, stage.servers, stage.publishers.files)
            self.client = Client(self, self._key, self._options(offline=kind.offline))
        else:
            self._begin_as_child_of(parent)
        self.driver.life = self

    def _begin_as_child_of(self, parent: Life) -> None:
        self.readied, self.born_at = parent.readied, parent.born_at
        self.seen, self.seen_locally = parent.seen, parent.seen_locally
        self.closed, self.closed_at = parent.closed, parent.closed_at
        self.first_ended_at = parent.first_ended_at
        held = parent.client.held
        self.called_version = held.state.snapshot.version
        self.owed = parent.owed.forked(self.world.now, loaded=held.state.entry is not None)
        options = self._options(offline=parent.client.switch.offline)
        self.client = Client(self, self._key, options, parent.client)
        self.driver = self.client.held.process.driver

    @property
    def _key(self) -> str:
        return KEY if self.kind.new_key else OLD_KEY

    def _options(self, *, offline: bool) -> ConfigCatOptions:
        kind = self.kind
        mode = {
            AUTO: PollingMode.auto_poll(kind.interval, kind.init_wait),
            LAZY: PollingMode.lazy_load(kind.interval),
            MANUAL: PollingMode.manual_poll(),
        }[kind.mode]
        return ConfigCatOptions(
            polling_mode=mode,
            config_cache=self.stage.cache if kind.shares else None,
            connect_timeout_seconds=READ_TIMEOUT,
            read_timeout_seconds=READ_TIMEOUT,
            flag_overrides=LocalFileDataSource(LOCAL, kind.local)
            if kind.local is not None
            else None,
            hooks=Hooks(self._ready, self._changed),
            offline=offline,
        )

    def jitter(self) -> float:
        """Return what the engine draws."""
        return self.stage.scenario.chance

    @property
    def local_only(self) -> bool:
        """Whether nothing is ever sent."""
        return self.kind.local is LOCAL_ONLY

    @property
    def state(self) -> State:
        """What readers are answered from."""
        return self.client.held.state

    @property
    def slack(self) -> float:
        """Seconds that a call may take which waits for one refresh and then does one itself."""
        # A refresh waits for its hooks, for the cache, and for what hooks do.
        return 2 * self.client.limit + 4 * HOOK_PAUSE + 2 * 2.0

    def tell(self, what: str, *details: object) -> None:
        """Write a line of the trace."""
        self.world.tell(self.name, what, *details)

    def rule(self, held: bool, rule: str) -> None:
        """End the schedule unless a rule was held."""
        if not held:
            self.world.fail(f"{self.name}: {rule}")

    # What a program does with it.

    async def read(self) -> None:
        """Read in one of the ways, and judge how long it took and what it showed."""
        client, wait = self.client, laws.Wait(self, inside=_inside.get())
        dice = self.world.random.random()
        values: Mapping[str, Any]
        if dice < 0.6:
            values = await client.get_all_values()
        elif dice < 0.8:
            user = await client.for_user(None)
            values = {key: user[key] for key in user}
        else:
            await client.get_value("k0", None)
            values = client.snapshot().for_user(None)
        self.world.counts[f"read: {self.kind.mode}{', in a hook' * wait.inside}"] += 1
        wait.judge_read()
        laws.judge_values(self, dict(values))

    def glance(self) -> None:
        """Read a snapshot: that waits for nothing, and begins nothing."""
        sent, version = self.driver.sent, self.state.snapshot.version
        laws.judge_values(self, dict(self.client.snapshot().for_user(None)))
        same = (self.driver.sent, self.state.snapshot.version) == (sent, version)
        self.rule(same, "a snapshot begins nothing")

    async def wait_for_ready(self) -> None:
        """Wait until the client is ready, but not for ever."""
        wait = laws.Wait(self, inside=_inside.get())
        timeout = self.world.between(0.0, 3.0)
        await self.client.wait_for_ready(timeout)
        wait.judge_ready(timeout)

    async def force(self) -> bool:
        """Ask the server now; tell whether that succeeded."""
        wait, offline = laws.Wait(self, inside=_inside.get()), self.client.is_offline()
        self.forced += not wait.inside
        self.tell("force_refresh()")
        self.world.counts[f"forced{' in a hook' * wait.inside}"] += 1
        result = await self.client.force_refresh()
        wait.judge_forced()
        quiet = offline and self.client.is_offline() and not wait.inside
        held = bool(result.error) != result.is_success
        self.rule(held, "a forced refresh succeeds, or says why not")
        self.rule(not (quiet and result.is_success and wait.alone), "offline is no success")
        return bool(result.is_success)

    def switch(self, *, offline: bool) -> None:
        """Switch the client offline, or online."""
        if offline:
            self.client.set_offline()
        else:
            if self.client.switch.offline and not self.closed and not self.local_only:
                self.owed.push()
            self.client.set_online()
        self.tell("offline" if offline else "online")
        self.world.counts["switched"] += 1

    async def close(self) -> None:
        """Close the client."""
        self.tell("close()")
        self.world.counts["closed in flight" if self.flight else "closed"] += 1
        began, self.closed = self.world.now, True
        self.closed_at = min(self.closed_at, began)
        await self.client.close()
        self.rule(self.world.now - began <= 2.0 + HOOK_PAUSE, "close() waits for two seconds")

    def fork(self, name: str) -> Life:
        """Return the life of a forked child."""
        self.tell("fork of %s", name)
        self.world.counts["forked in flight" if self.flight else "forked"] += 1
        return Life(self.stage, name, self.kind, self)

    # What its hooks are told.

    async def _ready(self) -> None:
        self.readied += 1
        self.tell("ready")
        self.rule(self.readied == 1, "a client becomes ready once")
        self.rule(not self.closed, "no hook is called after close()")
        late = self.world.now >= self.born_at + self.kind.init_wait - NOTHING
        polls = self.kind.mode == AUTO and not self.local_only
        held = late or not polls or self.state.attempt.last is not None
        self.rule(held, "a client is ready after its first refresh, or when the time is over")
        # Who finds the time over is a reader, whose wait is judged: its hooks take no time.
        if self.client.held.process.flight.holder is None:
            return
        await self._be_lively()

    async def _changed(self, settings: dict[str, Any]) -> None:
        state = self.state
        version = state.snapshot.version
        self.tell("changed: version %d", version)
        self.world.counts["changed"] += 1
        self.rule(not self.closed, "no hook is called after close()")
        # The first settings of a client with local ones only are no change.
        before = max(self.called_version, 1) if self.local_only else self.called_version
        order = version == before + 1
        self.rule(order, "hooks are called once per publish and in order")
        self.called_version = version
        self.rule(settings == dict(state.settings), "a hook gets the settings that are in force")
        outside = _inside.set(True)
        try:
            await self._be_lively()
        finally:
            _inside.reset(outside)
        same = self.state.snapshot.version == version
        self.rule(same, "nothing is published while hooks run")

    async def _be_lively(self) -> None:
        """Do in a hook whatever a program may do there."""
        world, chance = self.world, self.stage.scenario.lively
        acts: list[Callable[[], Awaitable[object]]] = [self.read, self.wait_for_ready]
        if _inside.get():
            acts.append(self.force)
            acts.append(lambda: asyncio.ensure_future(self.force()))
        if world.chance(chance):
            await world.random.choice(acts)()
        if world.chance(chance / 8) and self.stage.scenario.closes:
            world.counts["closed in a hook"] += 1
            await self.close()
        if world.chance(chance / 2):
            await world.pause(world.between(0.0, HOOK_PAUSE))
        if world.chance(chance / 4):
            world.counts["hook raised"] += 1
            raise LookupError("a hook's own trouble")

    # What its driver and its source tell.

    def asks(self, state: State, *, force: bool) -> None:
        """Take note of a refresh that is about to begin."""
        self._next = state, force

    def acts(self) -> None:
        """Do nothing: hooks belong to their life."""

    def begins(self, plan: str) -> Run:
        """Take note of a plan that begins to run."""
        run = Attempt(plan, self.world.now)
        self.rule(not self.closed, "no plan is begun after close()")
        if plan != "<plan refresh>":
            return run
        given, self._next = self._next, None
        self.rule(self.flight is None and given is not None, "one refresh at a time")
        if given is None:
            return run
        run.before, run.forced = given
        self.flight = run
        self.owed.begins(run, self.world.now)
        self.tell("refresh begins, force=%s", run.forced)
        self.world.counts["refresh"] += 1
        if run.forced:
            self.forced -= 1
            self.rule(self.forced >= 0, "a refresh is forced by somebody")
        return run

    def sends(self, run: Run, send: Send) -> None:
        """Take note of a request."""
        laws.judge_request(self, run, send)
        run.sends(send, self.world.now)
        self.stage.somebody_sends(self)

    def ends(self, run: Run, result: object) -> None:
        """Take note of what a plan returned."""
        run.over = True
        if not isinstance(run, Attempt) or run is not self.flight:
            return
        self.flight = None
        if isinstance(result, Outcome) and not self.closed:
            if result.state.attempt.last is not None:
                self.first_ended_at = min(self.first_ended_at, self.world.now)
            laws.judge_outcome(self, run, result)
            self.owed.ends(run, self.world.now)

    def breaks_off(self, run: Run) -> None:
        """Take note of a plan that was cancelled, or raised."""
        self.tell("%s is broken off", run.name)
        self.world.counts["broken off"] += 1
        if run is self.flight:
            self.flight = None
            self.owed.breaks_off()
