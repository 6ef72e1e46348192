"""A manager for asyncio, asked by calls of OpenFeature that cannot wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openfeature.flag_evaluation import FlagEvaluationDetails

from appconfig_provider.flags import TargetingContext, aio
from tests.openfeature.clients import ANNA, client_of
from tests.support.managers import flag, holding, targeting

AWAITED = "a function has to be awaited; use the client's methods with _async"
TOLD = {"telemetry": {"enabled": True}}


class Waiting:
    """Functions of a program that wait, and what ran of them."""

    name = "Custom"

    def __init__(self, answer: object = True) -> None:
        self.answer = answer
        self.ran: list[str] = []

    async def evaluate(self, _context: object, **_keywords: object) -> object:
        """Answer as a filter."""
        return await self("filter")

    async def __call__(self, *given: object) -> Any:
        """Answer as an accessor or a callback."""
        self.ran.append(str(given[0]) if given else "accessor")
        await asyncio.sleep(0)
        return self.answer


def manager_of(kind: str, function: Waiting) -> aio.FeatureManager:
    """Return a manager for asyncio in which one function waits."""
    if kind == "filter":
        return aio.FeatureManager(
            holding(flag("f", {"name": "Custom"})), feature_filters=[function]
        )
    if kind == "accessor":
        function.answer = TargetingContext("Adam")
        listed = holding(flag("f", targeting(Users=["Adam"])))
        return aio.FeatureManager(listed, targeting_context_accessor=function)
    return aio.FeatureManager(holding(flag("f", **TOLD)), on_feature_evaluated=function)


@pytest.mark.parametrize("plain", [False, True], ids=["coroutine function", "returns a coroutine"])
@pytest.mark.parametrize("kind", ["filter", "accessor", "callback"])
@pytest.mark.parametrize("default", [True, False])
def test_what_has_to_be_awaited_is_the_default(
    kind: str, plain: bool, default: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that cannot wait answers the caller's default, says why, and runs nothing of it."""
    function = Waiting()
    manager = manager_of(kind, function)
    if plain:
        waiting = Waiting()
        manager = manager_of(kind, _plainly(waiting))
        function = waiting
    client = client_of(manager)
    found = client.get_boolean_details("f", default)
    assert (found.value, found.reason, found.error_code) == (default, "ERROR", "GENERAL")
    assert found.error_message == AWAITED
    assert function.ran == []
    assert not [one for one in caplog.records if one.name.startswith("appconfig_provider")]


def _plainly(waiting: Waiting) -> Any:
    """Return the same functions, which are no coroutine functions and return coroutines."""

    class Plain(Waiting):
        def evaluate(self, _context: object, **_keywords: object) -> Any:
            return waiting("filter")

        def __call__(self, *given: object) -> Any:
            waiting.answer = self.answer
            return waiting(*given)

    return Plain()


def test_a_filter_that_must_run_in_a_loop_is_not_begun() -> None:
    """Inside of a running loop a call that cannot wait does not begin a filter either."""
    waiting = Waiting()
    client = client_of(manager_of("filter", waiting))

    async def both() -> list[FlagEvaluationDetails[bool]]:
        at_once = client.get_boolean_details("f", default_value=False, evaluation_context=ANNA)
        return [
            at_once,
            await client.get_boolean_details_async(
                "f", default_value=False, evaluation_context=ANNA
            ),
        ]

    at_once, awaited = asyncio.run(both())
    assert (at_once.value, at_once.error_code) == (False, "GENERAL")
    assert (awaited.value, awaited.error_code) == (True, None)
    assert waiting.ran == ["filter"]


def test_what_need_not_be_awaited_is_answered_at_once() -> None:
    """Flags of a manager for asyncio that come to no function that waits have their answers."""
    waiting = Waiting()
    flags = [flag("f", {"name": "Custom"}), flag("listed", targeting(Users=["Anna"])), flag("on")]
    client = client_of(aio.FeatureManager(holding(*flags), feature_filters=[waiting]))
    assert client.get_boolean_value("listed", default_value=False, evaluation_context=ANNA)
    assert client.get_boolean_value("on", default_value=False, evaluation_context=ANNA)
    assert waiting.ran == []
