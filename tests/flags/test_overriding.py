"""Flags that a test overrides: in its own context, or in all threads, and nowhere afterwards."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from appconfig_provider.flags import EvaluationEvent, FeatureManager, aio
from tests.support.managers import Manage, flag, holding, targeting


def test_a_flag_has_the_value_of_the_block_inside_of_it(manage: Manage) -> None:
    """On, off, or a variant's value; also for a flag that is not loaded, and blocks nest."""
    manager = manage(holding(flag("a"), flag("b", targeting(Users=["Adam"]))))
    for _ in range(2):
        with manager.overriding({"a": False, "b": True, "c": True, "theme": "dark"}):
            assert not manager.is_enabled("a")
            assert manager.is_enabled("b")
            assert manager.is_enabled("c")
            assert manager.get_value("a", default=True) is False
            assert manager.get_value("theme", "light") == "dark"
            assert manager.get_variant("theme").configuration == "dark"
            assert manager.evaluate("theme").enabled
            with manager.overriding({"a": True}):
                assert (manager.is_enabled("a"), manager.is_enabled("b")) == (True, True)
            assert not manager.is_enabled("a")
            assert "overridden" in manager.explain("a")
            assert not manager.evaluate_all()["a"].enabled
        assert (manager.is_enabled("a"), manager.is_enabled("b")) == (True, False)
        assert not manager.is_enabled("c")


def in_thread(manager: FeatureManager, name: str) -> bool:
    """Evaluate a flag on another thread."""
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(manager.is_enabled(name)))
    thread.start()
    thread.join()
    return seen[0]


def test_other_threads_see_it_only_everywhere() -> None:
    """A block counts in its own context; `everywhere` makes it count in all threads."""
    manager = FeatureManager(holding(flag("a")))
    with manager.overriding({"a": False}):
        assert in_thread(manager, "a")
        assert not manager.is_enabled("a")
        with manager.overriding({"a": False}, everywhere=True):
            assert not in_thread(manager, "a")
    assert in_thread(manager, "a")


def test_tasks_that_are_begun_inside_see_it() -> None:
    """A task inherits the context in which it is begun."""

    async def work() -> list[bool]:
        manager = aio.FeatureManager(holding(flag("a")))
        with manager.overriding({"a": False}):
            inside = asyncio.create_task(manager.is_enabled("a"))
            seen = [await inside, await manager.is_enabled("a")]
        return [*seen, await manager.is_enabled("a")]

    assert asyncio.run(work()) == [False, False, True]


def test_what_is_overridden_has_no_telemetry(manage: Manage) -> None:
    """A test does not tell evaluations that no rule has decided."""
    events: list[EvaluationEvent] = []
    told = flag("a", telemetry={"enabled": True})
    manager = manage(holding(told), on_feature_evaluated=events.append)
    with manager.overriding({"a": False}):
        manager.is_enabled("a")
    assert events == []
    manager.is_enabled("a")
    assert len(events) == 1


def test_the_end_of_a_block_is_noticed_by_refreshed_flags(manage: Manage) -> None:
    """Flags that change while a block is open are there when it ends."""
    config: dict[str, Any] = holding(flag("a"))
    manager = manage(config)
    with manager.overriding({"b": True}):
        config["feature_management"] = {"feature_flags": [{"id": "a", "enabled": False}]}
        assert not manager.is_enabled("a")
    assert not manager.is_enabled("a")
    assert not manager.is_enabled("b")


def test_a_pinned_manager_that_is_made_inside_has_the_same_overrides(manage: Manage) -> None:
    """`of(snapshot)` in a request that a test overrides answers as the test wants."""
    manager = manage(holding(flag("a")))
    for everywhere in (False, True):
        with manager.overriding({"a": False}, everywhere=everywhere):
            pinned = manager.of(holding(flag("a")))
            assert not pinned.is_enabled("a")
        assert pinned.is_enabled("a")


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_block_may_be_entered_again_inside_of_itself(manage: Manage, everywhere: bool) -> None:
    """It counts until it was left as often as it was entered; the innermost block counts."""
    manager = manage(holding(flag("a")))
    block = manager.overriding({"a": False}, everywhere=everywhere)
    with block, manager.overriding({"a": True}):
        with block:
            assert not manager.is_enabled("a")
        assert manager.is_enabled("a")
    with block:
        with block:
            assert not manager.is_enabled("a")
        assert not manager.is_enabled("a")
    assert manager.is_enabled("a")


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_block_may_be_entered_by_several_threads(everywhere: bool) -> None:
    """In each of them it counts until that thread leaves it."""
    manager = FeatureManager(holding(flag("a")))
    block = manager.overriding({"a": False}, everywhere=everywhere)
    inside, left = threading.Barrier(3), [threading.Event() for _ in range(4)]
    seen: list[bool] = []

    def work(number: int) -> None:
        with block:
            inside.wait(20)
            assert left[number].wait(20)
            seen.append(manager.is_enabled("a"))
        left[number + 1].set()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    left[0].set()
    for thread in threads:
        thread.join(20)
    assert seen == [False] * 3
    assert manager.is_enabled("a")


def test_what_lists_flags_lists_overridden_ones(manage: Manage) -> None:
    """`names`, `evaluate_all` and `explain` know a flag that only a test has, while it has it."""
    manager = manage(holding(flag("a")))
    with manager.overriding({"New": True, "a": False}):
        assert manager.names() == ["a", "New"]
        found = manager.evaluate_all()
        assert {name: one.enabled for name, one in found.items()} == {"a": False, "New": True}
        assert "a test has overridden the flag" in manager.explain("New")
    assert manager.names() == list(manager.evaluate_all()) == ["a"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (5, "overriding() takes a dict of flags by name, not an int"),
        (["a"], "overriding() takes a dict of flags by name, not a list"),
        ({5: True}, "overriding() takes names of flags, which are texts, not an int"),
    ],
)
def test_what_is_no_dict_of_flags_is_refused(manage: Manage, flags: Any, told: str) -> None:
    """The error says what is taken instead."""
    with pytest.raises(TypeError) as caught:
        manage(holding()).overriding(flags)
    assert str(caught.value) == told
