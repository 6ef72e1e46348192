"""One schedule from beginning to end: the store, the others in it, and the quiet at last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.options import CopyOptions, Options
from appconfig_provider._azure.rest.sync_tokens import SyncToken
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider.aio import AzureAppConfigurationProvider
from appconfig_provider.overrides.values import BadOverride
from tests.simulation import layers, rules
from tests.simulation.disk import Disk
from tests.simulation.driver import Driver
from tests.simulation.history import History
from tests.simulation.life import Life, Reader
from tests.simulation.model import Model
from tests.simulation.network import StoreNetwork
from tests.simulation.program import Program
from tests.simulation.publishers import Publisher
from tests.simulation.scenario import LOAD_BUDGET, MAX_BACKOFF, READ_TIMEOUT, draw
from tests.simulation.world import Mailbox, RuleBroken, Task, World
from tests.support.files import Files

READS = 0.8
"""Probability that a caller only reads, where reads check."""


class Stage:
    """A world with everybody in it."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        self.world = World(seed, traced=traced)
        self.scenario = draw(self.world.random)
        self.history = History(self.scenario.page_size)
        self.network = StoreNetwork(self.world, self.scenario, history=self.history)
        self.files = Files()
        self.lives: list[Life] = []
        self.acting: Life
        self.over = False
        """True when the others come to rest."""
        self.occasions: list[Mailbox[None]] = []
        """Publishers who wait for somebody to send."""
        self._forking = self._closing = False
        self._publisher = Publisher(self)
        self.disk = Disk(self.world)
        options = self._with_disk(Program(self).options())
        self.context = Context(options, options.store.credential, self.world, self._jitter, ())
        self.world.tell("scenario", "%s", self.scenario)

    def _with_disk(self, options: Options) -> Options:
        scenario = self.scenario
        copy = CopyOptions(
            cache=self.disk if scenario.cached else None,
            wait=LOAD_BUDGET / 4,
            first=scenario.served_first,
            sentinels_only=scenario.sentinels_only,
            optional=scenario.optional,
        )
        return replace(options, copy=copy)

    def _jitter(self) -> float:
        return self.scenario.chance

    def play(self) -> None:
        """Play the schedule; raises RuleBroken where a rule is."""
        world, scenario = self.world, self.scenario
        try:
            self._publisher.fill()
            if world.chance(0.3):
                self.network.break_things()
            self._publisher.begin()
            world.spawn("loader", self._load("parent"))
            for number in range(scenario.restarts):
                world.later(
                    world.between(0.0, scenario.horizon), self._restart, f"restarted {number}"
                )
            world.later(scenario.horizon, self._calm_down)
            world.run()
            for life in self.lives:
                world.spawn("settle", self._settle(life))
            world.run()
        finally:
            world.end()
        if world.broken:
            raise RuleBroken(world.broken)

    def _restart(self, name: str) -> None:
        """Have the program started once more, with the copy that is kept by now."""
        self.world.counts["restarted"] += 1
        self.world.spawn(name, self._load(name))

    async def _load(self, name: str) -> None:
        """Load, however often that takes, and bring the provider to life."""
        life = Life(self, name, Driver(self.world, self.network, self.files), Model(self.scenario))
        while True:
            try:
                state = await life.driver.run(start(self.context))
                break
            except (RequestFailed, NobodyAnswered, BadOverride, ValueError):
                self.world.counts["not started"] += 1
                await self.world.pause(1.0)
        for endpoint in state.endpoints.all:
            backoff = endpoint.backoff
            life.model.backoffs[endpoint.store.url] = (backoff.failures, backoff.until)
            for token in endpoint.memory.values():
                assert isinstance(token, SyncToken)
                life.model.tokens[endpoint.store.url] = token.sequence
        life.model.answered_last = state.endpoints.last
        # The timers count from the load, and not from the write of the copy after it.
        loaded = state.attempt.last if not state.snapshot.stale else None
        life.model.arm(self.world.now if loaded is None else loaded.monotonic)
        if state.snapshot.stale:
            self.world.counts[f"start: {state.snapshot.origin}"] += 1
            wait = 0.0 if state.rejected is None else self.scenario.interval
            life.model.heal_at = self.world.now + wait
        driver: Any = life.driver
        kind = Reader if self.scenario.lazy else AzureAppConfigurationProvider
        life.born(kind(self.context, driver, state))
        if not self.over and name == "parent":
            self.network.break_things()
        self._begin_using(life)

    def _begin_using(self, life: Life) -> None:
        """Let callers, and whatever else happens to a provider, begin."""
        world, scenario = self.world, self.scenario
        self.lives.append(life)
        for _ in range(scenario.callers):
            world.later(world.between(0.0, scenario.interval), self._call, life)
        world.later(world.between(0.0, scenario.horizon), life.unsubscribe)
        left = scenario.horizon - world.now
        if scenario.forks and len(self.lives) == 1:
            world.later(world.between(0.0, left / 2), self._want_fork)
        if scenario.closes:
            world.later(world.between(left / 2, left), self._want_close)

    def _call(self, life: Life) -> None:
        """Have one of the callers call `refresh()`, or read, and come again later."""
        world, scenario = self.world, self.scenario
        if self.over:
            return
        if scenario.lazy and world.chance(READS):
            life.read()
        else:
            job = life.refresh(forced=world.chance(scenario.forced))
            self._maybe_cancel(life, world.spawn("caller", job))
        world.later(world.between(0.0, 1.5 * scenario.interval), self._call, life)

    def begin_check(self, life: Life) -> None:
        """Begin the task that a read has started."""
        task = self.world.spawn("reader", life.refresh(for_reader=True))
        if not self.over:
            self._maybe_cancel(life, task)

    def _maybe_cancel(self, life: Life, task: Task) -> None:
        """Cancel or abandon what is under way, now and then."""
        world, scenario = self.world, self.scenario
        if not task.done and scenario.cancelled and world.chance(scenario.cancelled):
            seconds = world.between(0.0, 6 * scenario.round_trip)
            if world.chance(0.3):
                life.doomed = task
            else:
                world.later(seconds, task.cancel if world.chance(0.7) else task.close)

    # Forks and closing aim at refreshes in flight: they happen when somebody next sends.

    def _want_fork(self) -> None:
        self._forking = True

    def _want_close(self) -> None:
        self._closing = True

    def somebody_sends(self, life: Life) -> None:
        """Take the occasion of a request under way."""
        world = self.world
        soon = world.between(0.0, 2 * self.scenario.round_trip)
        if self.occasions and world.chance(0.2):
            world.later(soon, self.occasions.pop().put, None)
        if life not in self.lives:
            return
        if self._forking:
            self._forking = False
            world.later(soon, self._fork, life)
        elif self._closing:
            self._closing = False
            world.later(soon, self._close, life)

    def _fork(self, life: Life) -> None:
        if not life.closed:
            self._begin_using(life.fork("child"))

    def _close(self, life: Life) -> None:
        self.world.spawn("closer", life.close())

    # The end.

    def _calm_down(self) -> None:
        """End all trouble; publishers finish what they have begun, and mend what is bad."""
        self.world.tell("world", "everything calms down")
        self.over = True
        self.network.calm = True

    async def _last_refresh(self, life: Life) -> None:
        scenario = self.scenario
        if scenario.lazy:
            life.read()
            await self.world.pause(2 * READ_TIMEOUT + LOAD_BUDGET)
        else:
            await life.refresh()
        if scenario.sentinels_only:
            # They may have vouched for a copy, but not for its flags: these have their own timer.
            await self.world.pause(scenario.flag_interval + 1.0)
            await life.refresh()

    def _judge_copy(self, life: Life) -> None:
        life.rule(not life.provider.status.stale, "a copy is confirmed or replaced at last")
        if self.scenario.settings_watched and self.scenario.cached:
            kept = {key: one for key, one in self.disk.settings().items() if key.startswith("k")}
            served = rules.settings_of(dict(life.provider.snapshot))
            life.rule(kept == served, "what is served at last is kept")

    async def _settle(self, life: Life) -> None:
        """Refresh once, when any back-off is over: now what is served is what the store holds."""
        scenario, history = self.scenario, self.history
        await self.world.pause(MAX_BACKOFF + scenario.push_delay + 10.0)
        await self._last_refresh(life)
        if life.closed:
            self.world.counts["settled closed"] += 1
            return
        self._judge_copy(life)
        if scenario.settings_watched:
            wanted, served = history.settings(history.newest, ("k",)), dict(life.provider.snapshot)
            life.rule(rules.settings_of(served) == wanted, "no update is lost")
        if scenario.flags_refreshed:
            wanted = rules.flags_at(history, history.newest)
            life.rule(rules.flags_of(life.provider.snapshot) == wanted, "no flag is lost")
        if scenario.layered:
            layers.judge_at_last(life)
        status = life.provider.status
        life.rule(status.last_error is None, f"all is well at last, and not {status.last_error!r}")
        life.rule(not await life.refresh(), "having refreshed, there is nothing to do")
        if self.world.chance(0.1):
            published = await life.refresh(forced=True)
            life.rule(not published, "what has not changed is not published")
        self.world.counts["settled"] += 1
