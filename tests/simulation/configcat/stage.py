"""One schedule of ConfigCat's clients from beginning to end."""

from __future__ import annotations

from tests.simulation.configcat.life import Life
from tests.simulation.configcat.publishers import LOCAL_ONLY, Publishers
from tests.simulation.configcat.scenario import MANUAL, Kind, draw
from tests.simulation.configcat.servers import Servers, SharedCache
from tests.simulation.loop import LoopWorld

ROUNDS = 3
"""Refreshes at the end: the first may still fail, as the file that is known is not there."""


class Stage:
    """A world with everybody in it."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        self.world = world = LoopWorld(seed, traced=traced)
        self.scenario = draw(world.random)
        self.servers = Servers(world, self.scenario)
        self.cache = SharedCache(world, self.servers)
        self.publishers = Publishers(world, self.scenario, self.servers)
        self.lives: list[Life] = []
        self.over = False
        """True when the others come to rest."""
        self._forking = self._closing = False
        world.tell("scenario", "%s", self.scenario)

    def play(self) -> None:
        """Play the schedule; raises RuleBroken where a rule is."""
        world, scenario = self.world, self.scenario
        try:
            world.later(0.0, self._begin)
            world.later(scenario.horizon, self._calm_down)
            world.run()
            if world.unfinished:
                world.fail(f"these never ended: {world.unfinished}")
        finally:
            world.end()

    def _begin(self) -> None:
        world, scenario = self.world, self.scenario
        self.publishers.begin()
        if world.chance(0.7):
            self.servers.break_things()
        for number, kind in enumerate(scenario.kinds):
            world.later(world.between(0.0, 1.0) * number, self._make, f"client {number}", kind)
        if scenario.forks:
            world.later(world.between(0.0, scenario.horizon / 2), self._want_fork)
        if scenario.closes:
            world.later(world.between(0.0, scenario.horizon), self._want_close)

    def _make(self, name: str, kind: Kind) -> None:
        self._begin_using(Life(self, name, kind))

    def _begin_using(self, life: Life) -> None:
        self.lives.append(life)
        for _ in range(self.scenario.callers):
            self.world.later(self.world.between(0.0, 1.0), self._call, life)

    def _call(self, life: Life) -> None:
        """Have one of the callers do something, and come again later."""
        world, scenario = self.world, self.scenario
        if self.over:
            return
        if world.chance(scenario.switched):
            life.switch(offline=not life.client.switch.offline)
        dice = world.random.random()
        if dice < 0.2:
            life.glance()
        else:
            forced = world.chance(scenario.forced)
            waits = dice < 0.25
            work = life.force() if forced else life.wait_for_ready() if waits else life.read()
            task = world.begin("caller", work)
            if not task.done() and world.chance(scenario.cancelled):
                world.counts["cancelled"] += 1
                world.later(world.between(0.0, 6 * scenario.round_trip), task.cancel)
        world.later(world.between(0.0, 2.0), self._call, life)

    # Forks and closing aim at refreshes in flight: they happen when somebody next sends.

    def _want_fork(self) -> None:
        self._forking = True

    def _want_close(self) -> None:
        self._closing = True

    def somebody_sends(self, life: Life) -> None:
        """Take the occasion of a request under way."""
        soon = self.world.between(0.0, 2 * self.scenario.round_trip)
        if self.over or life not in self.lives:
            return
        if self._forking:
            self._forking = False
            self.world.later(soon, self._fork, life)
        elif self._closing:
            self._closing = False
            self.world.later(soon, self._close, life)

    def _fork(self, life: Life) -> None:
        if not life.closed:
            self._begin_using(life.fork("child"))

    def _close(self, life: Life) -> None:
        self.world.begin("closer", life.close())

    # The end.

    def _calm_down(self) -> None:
        """End all trouble; publishers mend what is bad within their pace."""
        self.world.tell("world", "everything calms down")
        self.over = self.servers.calm = True
        self.world.later(self.scenario.pace + 1.0, self._settle_all)

    def _settle_all(self) -> None:
        for life in self.lives:
            self.world.begin("settle", self._settle(life))

    async def _settle(self, life: Life) -> None:
        """Have a client come to know the newest config, then close it."""
        world = self.world
        if life.client.switch.offline and not life.closed:
            life.switch(offline=False)
        for _ in range(ROUNDS):
            ahead = max(life.owed.earliest - world.now, 0.0)
            interval = 1.0 if life.kind.mode == MANUAL else life.kind.interval
            await world.pause(ahead + 2.2 * interval + 2.1)
            if life.kind.mode == MANUAL and not life.closed and not life.local_only:
                await life.force()
            await life.read()
        if life.closed:
            world.counts["settled closed"] += 1
            return
        await self._judge_at_last(life)
        await life.close()
        sent = life.driver.sent
        await life.read()
        await world.pause(3 * life.kind.interval)
        life.rule(life.driver.sent == sent, "nothing is sent after close()")

    async def _judge_at_last(self, life: Life) -> None:
        world, servers = self.world, self.servers
        only = life.kind.local is LOCAL_ONLY
        newest = life.seen == (0 if only else servers.number)
        life.rule(newest, f"publish {servers.number} is seen at last, and not {life.seen}")
        if life.kind.local is not None:
            newest = life.seen_locally == self.publishers.local
            life.rule(newest, "the file of local settings is read at last")
        error = life.state.attempt.error
        life.rule(error is None, f"all is well at last, and not {error!r}")
        version = life.state.snapshot.version
        told = life.called_version == version or (only and version == 1)
        life.rule(told, f"of version {version} a hook was told, and not {life.called_version}")
        life.rule(life.readied == 1, "a client becomes ready")
        world.counts["settled"] += 1
