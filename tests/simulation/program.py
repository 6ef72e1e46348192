"""The program around a provider: what it passes to `load()`, and its callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.options import Options
from appconfig_provider.models import ConfigurationSetting, Polling
from appconfig_provider.overrides.declared import Overrides
from appconfig_provider.selectors import SettingSelector
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from tests.simulation.publishers import BAD, LAYER
from tests.simulation.scenario import LOAD_BUDGET, READ_TIMEOUT
from tests.simulation.world import RuleBroken

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

KEY = "Id=id;Secret=c2VjcmV0"


class Credential:
    """Stands in for a credential; the driver makes its tokens."""

    def get_token(self, *_: object, **_named: object) -> Any:
        """Nobody calls this."""
        raise RuleBroken("tokens are acquired by effects")


class Program:
    """The user's functions; which life they are called in, the stage knows."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = stage.world

    def options(self) -> Options:
        """Return the keywords of `load()`."""
        scenario = self._stage.scenario
        first, others = scenario.endpoints[0], scenario.endpoints[1:]
        key, token = scenario.key_access, not scenario.key_access
        return Keywords(
            connection_string=f"Endpoint={first};{KEY}" if key else None,
            endpoint=first if token else None,
            credential=Credential() if token else None,
            selects=[SettingSelector(key_filter=prefix + "*") for prefix in scenario.prefixes],
            refresh_on=scenario.sentinels,
            refresh_interval=None if scenario.lazy else scenario.interval,
            polling=Polling.lazy(scenario.interval) if scenario.lazy else None,
            refresh_enabled=scenario.settings_watched,
            on_refresh_success=[self.succeeds, self.curious],
            on_refresh_error=self.failed,
            feature_flag_enabled=scenario.flags_loaded,
            feature_flag_refresh_enabled=scenario.flags_refreshed,
            feature_flag_refresh_interval=scenario.flag_interval,
            replicas=() if scenario.discovered else others,
            replica_discovery_enabled=scenario.discovered,
            load_balancing_enabled=scenario.balanced,
            validate=self.validate if scenario.validated else None,
            configuration_mapper=self.mapper if scenario.mapped else None,
            startup_timeout=0 if scenario.optional else LOAD_BUDGET,
            push_delay=scenario.push_delay,
            connect_timeout=READ_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retry_total=scenario.retries,
            overrides=Overrides.from_file(LAYER) if scenario.layered else None,
        ).checked()

    def succeeds(self, changes: ChangeSet) -> None:
        """Be the success callback that counts."""
        self._stage.acting.succeeds(changes)

    async def curious(self) -> None:
        """Do in a success callback whatever a program may do there, and take time for it."""
        life, world = self._stage.acting, self._world
        version = life.provider.snapshot.version
        if world.chance(0.2):
            refreshed = await life.provider.refresh(force=True)
            life.rule(not refreshed, "a callback cannot refresh")
        life.read()
        if world.chance(0.1):
            life.notify(self._stage.scenario.endpoints[0], self._stage.history.newest)
        doomed, life.doomed = life.doomed, None
        if doomed is not None:
            world.later(self._stage.scenario.round_trip, doomed.cancel)
        if doomed is not None or world.chance(0.4):
            await world.pause(world.between(0.0, 6 * self._stage.scenario.round_trip))
        same = life.provider.snapshot.version == version
        life.rule(same, "nothing is published while callbacks run")
        if world.chance(0.1):
            world.counts["callback raised"] += 1
            raise LookupError("a callback's own trouble")

    def failed(self, error: Exception) -> None:
        """Be the error callback."""
        self._stage.acting.fails(error)

    def validate(self, snapshot: ConfigurationSnapshot) -> None:
        """Refuse a generation with a bad value, and now and then a good one."""
        stage = self._stage
        if stage.acting.is_born:
            stage.acting.read()
        if not stage.over and self._world.chance(stage.scenario.moody):
            raise ValueError("refused for no reason")
        if any(str(value).startswith(BAD) for value in snapshot.values()):
            raise ValueError("refused by validate")

    def mapper(self, setting: ConfigurationSetting) -> None:
        """Refuse a bad value."""
        if str(setting.value).startswith(BAD):
            raise ValueError("refused by the mapper")
