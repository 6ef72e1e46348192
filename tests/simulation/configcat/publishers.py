"""Those who change what clients get: configs, governance, the file of local settings."""

from __future__ import annotations

import json

from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from tests.simulation.configcat.scenario import Scenario
from tests.simulation.configcat.servers import TROUBLES, Servers
from tests.simulation.loop import LoopWorld
from tests.support.configcat_source import EU, GLOBAL
from tests.support.files import Files

LOCAL = "/local.json"
"""The file of local settings; its keys begin with an `o`."""


class Publishers:
    """Changes things until everything calms down; then mends them."""

    def __init__(self, world: LoopWorld, scenario: Scenario, servers: Servers) -> None:
        self._world = world
        self._scenario = scenario
        self._servers = servers
        self.files = Files()
        self.local = 0
        """How often the file of local settings was written whole."""

    def begin(self) -> None:
        """Publish for the first time, and let everybody begin who changes something."""
        self._publish()
        self._world.begin("publisher", self._publish_for_ever())
        if any(kind.local is not None for kind in self._scenario.kinds):
            self._write_local()
            self._world.begin("editor", self._edit_for_ever())

    @property
    def _over(self) -> bool:
        return self._world.now >= self._scenario.horizon

    async def _publish_for_ever(self) -> None:
        world, scenario = self._world, self._scenario
        while not self._over:
            await world.pause(world.between(0.0, scenario.pace))
            if world.chance(scenario.governed):
                self._govern()
            self._publish(bad=world.chance(scenario.bad))
        self._servers.leads.clear()
        self._publish()

    def _publish(self, *, bad: bool = False) -> None:
        trouble = self._world.random.choice(TROUBLES) if bad else ""
        self._world.counts[f"published: {trouble or 'a config'}"] += 1
        self._servers.publish(trouble)
        self._world.tell("publisher", "publish %d %s", self._servers.number, trouble)

    def _govern(self) -> None:
        """Have a server name the other one, or none."""
        at, to = self._world.random.choice(((GLOBAL, EU), (EU, GLOBAL), (GLOBAL, GLOBAL)))
        self._servers.leads[at] = to, self._world.random.choice((0, 1, 2))
        if self._world.chance(0.3):
            self._servers.leads.clear()
        self._world.counts["governed"] += 1
        self._world.tell("publisher", "governance: %s", self._servers.leads)

    async def _edit_for_ever(self) -> None:
        world = self._world
        while not self._over:
            await world.pause(world.between(0.0, 4.0))
            dice = world.random.random()
            if dice < 0.15:
                self.files.contents.pop(LOCAL, None)
            elif dice < 0.3:
                self.files.write(LOCAL, '{"flags": {"o0": ')
            else:
                self._write_local()
            world.tell("editor", "the file holds %s", self.files.text(LOCAL))
        self._write_local()

    def _write_local(self) -> None:
        """Write the file of local settings with one key or two."""
        self.local += 1
        keys = ("o0", "o1") if self._world.chance(0.5) else ("o0",)
        flags = dict.fromkeys(keys, str(self.local))
        # Comments and a comma too many, as people write such files.
        self.files.write(LOCAL, "// ours\n" + json.dumps({"flags": flags})[:-2] + ",}}")


LOCAL_ONLY = OverrideBehaviour.LocalOnly
