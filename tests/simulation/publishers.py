"""Those who write: publishers that keep to the protocol, and the hand that switches flags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from appconfig_provider.models import FLAG_PREFIX

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

BAD = "bad"
"""What values begin with that make their generation one that is refused."""
LAYER = "/layer.json"
"""The file of overrides; its keys begin with an `o`."""
FLAGS = tuple(f"{FLAG_PREFIX}f{number}" for number in range(5))


class Publisher:
    """Writes as a deployment does: the data one by one, then the sentinel."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = stage.world
        self._keys = [f"k{number:02}" for number in range(stage.scenario.keys)]
        self._under_way = 0
        self._deletable: list[str] = []
        """Sentinels that may be deleted, each once.

        A key that is not there has no version: who creates and deletes it again between two looks
        has published nothing that anybody can see.
        """

    def fill(self) -> None:
        """Put the first settings into the store, at a moment before all others."""
        history, world = self._stage.history, self._world
        for key in self._keys:
            if world.chance(0.7):
                history.write(-100.0, key, f"{key} at first")
        for flag in FLAGS:
            if world.chance(0.6):
                history.write(-100.0, flag, f"{flag} at first")
        if self._stage.scenario.layered:
            self._write_layer()
        for sentinel in self._stage.scenario.sentinels:
            if world.chance(0.8):
                history.write(-100.0, sentinel, "at first")
                self._deletable.append(sentinel)

    def begin(self) -> None:
        """Let everybody who writes begin."""
        for number in range(self._stage.scenario.publishers):
            self._world.spawn(f"publisher {number}", self._publish_for_ever())
        self._world.spawn("flags", self._switch_flags())
        if self._stage.scenario.layered:
            self._world.spawn("editor", self._edit_layer())

    async def _publish_for_ever(self) -> None:
        """Publish until the world calms down; in the end leave nothing that is refused."""
        world, scenario = self._world, self._stage.scenario
        while not self._stage.over:
            await self._occasion()
            if self._stage.over:
                # What the last publish before the calm brought must be seen without another one.
                break
            while self._under_way and not scenario.overlapping:
                await world.pause(0.1)
            number = world.random.choice((1, 2, 2, 4))
            await self._publish([self._edit for _ in range(number)])
        while self._under_way and not scenario.overlapping:
            await world.pause(0.1)
        if any(item.value.startswith(BAD) for item in self._stage.history.states[-1].values()):
            await self._publish([self._mend])

    async def _occasion(self) -> None:
        """Wait for a while, or for somebody's request: those are the moments that matter."""
        mailbox = self._world.pause(self._world.between(0.0, 2.0 * self._stage.scenario.interval))
        if self._stage.scenario.eager:
            self._stage.occasions.append(mailbox)
        await mailbox

    async def _publish(self, edits: list[object]) -> None:
        world, scenario = self._world, self._stage.scenario
        self._under_way += 1
        world.counts["publish"] += 1
        pause = world.random.choice((0.0, 1.0, 4.0)) * scenario.round_trip
        for edit in edits:
            edit()  # type: ignore[operator]  # one of the methods below
            await world.pause(world.between(0.0, pause))
        self._under_way -= 1
        if scenario.sentinels:
            self._sentinel()
        self._push()

    def _write(self, key: str, value: str | None) -> None:
        revision = self._stage.history.write(
            self._world.now, key, value, unfinished=self._under_way
        )
        self._world.tell("publisher", "revision %d: %s = %s", revision, key, value)

    def _edit(self) -> None:
        """Change, touch, insert or delete a key, or a run of keys."""
        world, state = self._world, self._stage.history.states[-1]
        key, dice = world.random.choice(self._keys), world.random.random()
        if dice < 0.2:
            if key in state:
                self._write(key, None)
        elif dice < 0.3:
            length, filled = world.random.choice((3, 12)), world.random.choice((0.1, 0.5, 0.9))
            for one in self._keys[self._keys.index(key) :][:length]:
                self._write(one, self._value(one) if world.chance(filled) else None)
        elif dice < 0.4 and key in state:
            self._write(key, state[key].value)
        else:
            self._write(key, self._value(key))

    def _value(self, key: str) -> str:
        bad = self._world.chance(self._stage.scenario.bad)
        return f"{BAD if bad else 'good'} {key} of {self._stage.history.newest + 1}"

    def _mend(self) -> None:
        """Replace what is refused."""
        for key, item in list(self._stage.history.states[-1].items()):
            if item.value.startswith(BAD):
                self._write(key, f"mended {key}")

    def _sentinel(self) -> None:
        """Move a sentinel, now and then by deleting it."""
        world, state = self._world, self._stage.history.states[-1]
        key = world.random.choice(self._stage.scenario.sentinels)
        gone = key in state and key in self._deletable and world.chance(0.1)
        if gone:
            self._deletable.remove(key)
        self._write(key, None if gone else f"moved at {world.now}")

    def _push(self) -> None:
        """Have Event Grid tell some of those who read."""
        world, stage = self._world, self._stage
        for life in stage.lives:
            if stage.scenario.notified and world.chance(stage.scenario.notified):
                origin = world.random.choice(stage.scenario.endpoints)
                world.later(world.between(0.0, 1.0), life.notify, origin, stage.history.newest)

    async def _edit_layer(self) -> None:
        """Edit the file of overrides; now and then break it, or take it away for a while."""
        world, stage = self._world, self._stage
        while not stage.over:
            await world.pause(world.between(0.0, stage.scenario.interval))
            dice = world.random.random()
            if dice < 0.1:
                stage.files.contents.pop(LAYER, None)
            elif dice < 0.25:
                stage.files.write(LAYER, f'{{"o0": "broken at {world.now}"')
            else:
                self._write_layer(bad=world.chance(stage.scenario.bad))
            world.tell("editor", "the file holds %s", stage.files.text(LAYER))
        self._write_layer()

    def _write_layer(self, *, bad: bool = False) -> None:
        """Write the file of overrides with one key or two."""
        world = self._world
        keys = ("o0", "o1") if world.chance(0.5) else ("o0",)
        value = f"{BAD if bad else 'good'} at {world.now}"
        self._stage.files.write(LAYER, json.dumps(dict.fromkeys(keys, value)))

    async def _switch_flags(self) -> None:
        """Switch flags, each for itself."""
        world, stage = self._world, self._stage
        if not stage.scenario.flags_loaded:
            return
        while not stage.over:
            await world.pause(world.between(0.0, 2 * stage.scenario.flag_interval))
            flag = world.random.choice(FLAGS)
            gone = flag in stage.history.states[-1] and world.chance(0.3)
            self._write(flag, None if gone else f"{flag} of {stage.history.newest + 1}")
