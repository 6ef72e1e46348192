"""OpenFeature's own scenarios, with flags of a store that are loaded by threads and by asyncio."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NoReturn

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions
from openfeature.hook import Hook, HookContext, HookHints

from appconfig_provider import flags as sync_flags
from appconfig_provider.flags import aio
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from appconfig_provider.testing import Emulator, FakeClock
from tests.openfeature.scenarios import (
    LEFT_OUT,
    PARSERS,
    STATES,
    Scenario,
    Steps,
    flags,
    scenarios,
)
from tests.support.adapter import LOADERS
from tests.support.content import FLAG_PREFIX, FLAG_TYPE

SCENARIOS = scenarios()
RUN = [one for one in SCENARIOS if LEFT_OUT not in one.tags]
STALE_AFTER = 60.0

step = Steps()


class ComplexTargeted(sync_flags.FeatureFilter):
    """The rule of `complex-targeted`, which Microsoft's schema has no words for."""

    def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether all attributes fit."""
        wanted = {"role": "admin", "age": 65, "customer": False}
        known = {name: kwargs.get(name) for name in wanted}
        return kwargs["user"] == "ballmer@macrosoft.com" and known == wanted


RULE = sync_flags.FeatureFilter.alias("Test.ComplexTargeted")(ComplexTargeted)()


class Order(Hook):
    """A hook that writes down when it is called."""

    def __init__(self, name: str, called: list[str]) -> None:
        self._name = name
        self._called = called

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:
        """Write down the stage."""
        self._called.append(f"before {self._name}")
        return None

    def after(
        self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints
    ) -> None:
        """Write down the stage."""
        self._called.append(f"after {self._name}")

    def finally_after(
        self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints
    ) -> None:
        """Write down the stage."""
        self._called.append(f"finally {self._name}")


class World:
    """What the steps of one scenario share."""

    details: FlagEvaluationDetails[Any]

    def __init__(self, config: Any, clock: FakeClock, later: ExitStack) -> None:
        self.config = config
        self.clock = clock
        self.later = later
        self.client: OpenFeatureClient = api.get_client()
        self.flag = ("", "", None)
        self.attributes: dict[str, Any] = {}
        self.called: list[str] = []
        self.hooks: list[Hook] = []

    @property
    def context(self) -> EvaluationContext:
        """The context of the scenario."""
        return EvaluationContext(attributes=self.attributes)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What an evaluation is called with."""
        options = FlagEvaluationOptions(hooks=self.hooks)
        return (self.flag[1], self.flag[2], self.context, options)

    def serve(self) -> None:
        """Have OpenFeature use the flags of the store."""
        kind = aio if isinstance(self.config.feature_flags, aio.FeatureManager) else sync_flags
        manager = kind.FeatureManager(self.config, feature_filters=[RULE])
        provider = AppConfigurationFeatureProvider(
            manager, user_id_attribute="email", stale_after=STALE_AFTER
        )
        api.set_provider_and_wait(provider)


@step("a stable provider")
def _stable(world: World) -> None:
    world.serve()


@step("a stale provider")
def _stale(world: World) -> None:
    world.serve()
    world.clock.advance(STALE_AFTER + 1)
    world.client.get_boolean_value("boolean-flag", default_value=False)


@step("a not ready provider")
def _not_ready(world: World) -> None:
    loaded = threading.Event()
    world.later.callback(loaded.set)

    def load() -> dict[str, Any]:
        loaded.wait(60)
        return {}

    api.set_provider(AppConfigurationFeatureProvider(load))


@step("(an? )?(error|fatal) provider")
def _failing(world: World, _article: str, how: str) -> None:
    fatal = ClientAuthenticationError("refused")
    error = fatal if how == "fatal" else ServiceRequestError("nobody answers")

    def load() -> NoReturn:
        raise error

    with pytest.raises(Exception, match=r"refused|nobody answers|ClientAuthentication"):
        api.set_provider_and_wait(AppConfigurationFeatureProvider(load))


@step('an? (\\w+)-flag with key "(.*)" and a fallback value "(.*)"')
def _flag(world: World, kind: str, key: str, default: str) -> None:
    world.flag = (kind, key, PARSERS[kind](default))


@step('a context containing a key "(.*)", with type "(.*)" and with value "(.*)"')
def _attribute(world: World, key: str, kind: str, value: str) -> None:
    world.attributes[key] = PARSERS[kind](value)


@step('a context containing a key "(.*)" with null value')
def _null(world: World, key: str) -> None:
    world.attributes[key] = None


@step("an evaluation context with modifiable data")
def _modifiable(world: World) -> None:
    world.attributes |= {"email": "ballmer@macrosoft.com", "groups": ["a", "b"]}


@step("evaluation options containing specific hooks")
def _hooks(world: World) -> None:
    world.hooks = [Order("first", world.called), Order("second", world.called)]


@step("the flag was evaluated with details(?: using the evaluation options)?")
def _evaluate(world: World) -> None:
    evaluate = getattr(world.client, f"get_{world.flag[0].lower()}_details")
    world.details = evaluate(*world.arguments)


@step("the flag was evaluated with details asynchronously")
def _evaluate_async(world: World) -> None:
    evaluate = getattr(world.client, f"get_{world.flag[0].lower()}_details_async")

    async def run() -> None:
        world.details = await evaluate(*world.arguments)
        world.called.append("evaluated")

    asyncio.run(run())


@step("the evaluation should complete without blocking")
def _complete(world: World) -> None:
    assert world.called == ["evaluated"]


@step('the resolved details value should be "(.*)"')
def _value(world: World, expected: str) -> None:
    value = PARSERS[world.flag[0]](expected)
    assert world.details.value == value
    assert isinstance(world.details.value, type(value))


@step('the reason should be "(.*)"')
def _reason(world: World, expected: str) -> None:
    assert world.details.reason == expected


@step('the error-code should be "(.*)"')
def _code(world: World, expected: str) -> None:
    assert world.details.error_code == expected


@step('the flag key should be "(.*)"')
def _key(world: World, expected: str) -> None:
    assert world.details.flag_key == expected


@step('the variant should be "(.*)"')
def _variant(world: World, expected: str) -> None:
    assert world.details.variant == expected


@step("the resolved metadata should contain")
def _metadata(world: World, table: list[list[str]]) -> None:
    expected = {key: PARSERS[kind](value) for key, kind, value in table[1:]}
    assert dict(world.details.flag_metadata) == expected


@step("the resolved metadata is empty")
def _no_metadata(world: World) -> None:
    assert world.details.flag_metadata == {}


@step('the provider status should be "(.*)"')
def _status(world: World, expected: str) -> None:
    assert world.client.get_provider_status().value == expected


@step("the specified hooks should execute during evaluation")
def _executed(world: World) -> None:
    assert len(world.called) == 6


@step("the hook order should be maintained")
def _order(world: World) -> None:
    assert world.called == [
        "before first",
        "before second",
        "after second",
        "after first",
        "finally second",
        "finally first",
    ]


@step("the original evaluation context should remain unmodified")
def _unmodified(world: World) -> None:
    assert world.attributes == {"email": "ballmer@macrosoft.com", "groups": ["a", "b"]}


@step("the evaluation details should be immutable")
def _immutable(world: World) -> None:
    # The SDK's details are an ordinary dataclass; what is ours in it cannot be written to.
    metadata: Any = world.details.flag_metadata
    with pytest.raises(TypeError):
        metadata["version"] = "2"


@pytest.fixture(scope="module", params=list(LOADERS))
def loaded(request: pytest.FixtureRequest) -> Iterator[tuple[Any, FakeClock]]:
    """Give the flags of the files, loaded from a store, with the clock that they live by."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        for flag in flags()["feature_management"]["feature_flags"]:
            store.set(FLAG_PREFIX + flag["id"], json.dumps(flag), content_type=FLAG_TYPE)
        load = LOADERS[request.param]
        with load(
            connection_string=store.connection_string,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
            refresh_interval=1,
        ) as config:
            yield config, clock


@pytest.mark.parametrize("scenario", RUN, ids=lambda scenario: scenario.name)
def test_scenarios_hold(scenario: Scenario, loaded: tuple[Any, FakeClock]) -> None:
    """Each scenario holds with the provider, in the state that the scenario asks for."""
    config, clock = loaded
    config.refresh(force=True)  # an earlier scenario may have let it become stale
    with ExitStack() as later:
        step.run(World(config.provider, clock, later), scenario)


def test_the_scenarios_are_as_many_as_they_should_be() -> None:
    """Of 87 scenarios 68 are about flags, 17 about states and the SDK, 2 are left out by tag."""
    if not SCENARIOS:
        pytest.skip("the vectors are not here")
    states = [one for one in RUN if one.tags & STATES]
    assert (len(SCENARIOS), len(RUN) - len(states), len(states)) == (87, 68, 17)
    assert len(SCENARIOS) - len(RUN) == 2
