"""Functions of the program: when filters, accessor and callback are called; when they fail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from appconfig_provider import flags
from appconfig_provider.flags import EvaluationEvent, TargetingContext, aio
from tests.support.managers import Manage, flag, holding, targeting

TOLD = {"telemetry": {"enabled": True, "metadata": {"team": "blue"}}}
SECRET = "hunter2"


class Recorder:
    """A filter, an accessor and a callback that write down how they were called."""

    name = "Custom"

    def __init__(self, answer: object = True) -> None:
        self.answer = answer
        self.calls: list[Any] = []

    def evaluate(self, context: Any, **keywords: Any) -> Any:
        """Answer as a filter."""
        self.calls.append((context, keywords))
        return self._answer()

    def __call__(self, *given: Any) -> Any:
        """Answer as an accessor or a callback."""
        self.calls.append(given)
        return self._answer()

    def _answer(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


CUSTOM = {"name": "Custom", "parameters": {"a": 1}}


def test_a_filter_gets_the_context_and_the_keywords(manage: Manage) -> None:
    """It sees the filter with the flag's name; user and groups are always the context's."""
    custom = Recorder()
    manager = manage(holding(flag("x", CUSTOM)), feature_filters=[custom])
    assert manager.is_enabled("x", TargetingContext("u", ("g",)), tenant="t")
    assert manager.is_enabled("x", "u", ignore_case=True)
    assert custom.calls == [
        ({**CUSTOM, "feature_name": "x"}, {"user": "u", "groups": ["g"], "tenant": "t"}),
        ({**CUSTOM, "feature_name": "x"}, {"user": "u", "groups": [], "ignore_case": True}),
    ]


def test_only_filters_that_the_rules_come_to_are_asked(manage: Manage) -> None:
    """The first match ends `Any`, the first failure ends `All`; each filter is asked once."""
    yes, no, never = Recorder(), Recorder(answer=False), Recorder()
    yes.name, no.name, never.name = "Yes", "No", "Never"
    asked = [{"name": name} for name in ("No", "Yes", "Never")]
    every = flag("all", {"name": "Yes"}, {"name": "No"}, {"name": "Never"})
    every["conditions"]["requirement_type"] = "All"
    manager = manage(holding(flag("any", *asked), every), feature_filters=[yes, no, never])
    assert (manager.is_enabled("any"), manager.is_enabled("all")) == (True, False)
    assert [len(one.calls) for one in (yes, no, never)] == [2, 2, 0]


def test_later_filters_replace_earlier_and_built_in_ones(manage: Manage) -> None:
    """A filter by the name of a built-in one is asked in its place, also a derived one."""

    class Targeting(flags.TargetingFilter):
        def evaluate(self, context: Any, **kwargs: Any) -> bool:
            return not super().evaluate(context, **kwargs)

    audience = targeting(Users=["Adam"])
    for mine in (Targeting(), None):
        given = [] if mine is None else [mine]
        manager = manage(holding(flag("x", audience)), feature_filters=given)
        assert manager.is_enabled("x", "Adam") is (mine is None)
        assert manager.is_enabled("x", "Brian") is (mine is not None)


def test_the_built_in_filters_can_be_called_by_themselves() -> None:
    """A program may use them inside of its own filter, with the keywords that filters get."""
    context = {**targeting(Users=["Adam"]), "feature_name": "x"}
    assert flags.TargetingFilter().evaluate(context, user="Adam", groups=[])
    assert not flags.TargetingFilter().evaluate(context, user=None)
    always = {"parameters": {"Start": "2020-01-01"}}
    assert flags.TimeWindowFilter().evaluate(always)
    assert not flags.TimeWindowFilter().evaluate({"parameters": {"End": "2020-01-01"}})
    assert not flags.TimeWindowFilter().evaluate({})
    assert (flags.TargetingFilter().name, aio.TimeWindowFilter().name) == (
        "Microsoft.Targeting",
        "Microsoft.TimeWindow",
    )


@pytest.mark.parametrize("given", ["text", object(), print])
def test_what_is_no_filter_is_refused(manage: Manage, given: object) -> None:
    """A filter has `name` and `evaluate`."""
    with pytest.raises(ValueError, match="FeatureFilter"):
        manage({}, feature_filters=[given])


class Waiting:
    """The same functions, asynchronous."""

    name = "Custom"

    def __init__(self) -> None:
        self.calls = 0

    async def evaluate(self, context: Any, **_keywords: Any) -> bool:
        """Answer as a filter."""
        self.calls += 1
        return bool(context["parameters"]["a"])

    async def __call__(self, *given: Any) -> str:
        """Answer as an accessor or a callback."""
        self.calls += 1
        return "Adam"


def test_asynchronous_functions_are_refused_by_the_manager_for_threads() -> None:
    """The error names `flags.aio`, and comes when the manager is made."""
    for keyword, given in (
        ("feature_filters", [Waiting()]),
        ("on_feature_evaluated", Waiting()),
        ("targeting_context_accessor", Waiting().evaluate),
    ):
        with pytest.raises(TypeError, match="asynchronous"):
            flags.FeatureManager({}, **{keyword: given})  # type: ignore[arg-type]
    for keyword in ("on_feature_evaluated", "targeting_context_accessor"):
        with pytest.raises(TypeError, match="must be a function"):
            flags.FeatureManager({}, **{keyword: 5})  # type: ignore[arg-type]


def test_asynchronous_functions_are_awaited_in_aio() -> None:
    """Filter, accessor and callback may wait; a filter that waits is asked once."""
    from tests.support.managers import manage_aio

    custom, accessor, callback = Waiting(), Waiting(), Waiting()
    two = flag("two", {**CUSTOM, "parameters": {"a": 0}}, CUSTOM, **TOLD)
    manager = manage_aio(
        holding(two),
        feature_filters=[custom],
        targeting_context_accessor=accessor,
        on_feature_evaluated=callback,
    )
    assert manager.is_enabled("two")
    assert (custom.calls, accessor.calls, callback.calls) == (2, 1, 1)
    assert manager.evaluate("two").enabled
    assert "matches" in manager.explain("two")
    assert manager.evaluate_all()["two"].enabled
    assert callback.calls == 2


@pytest.mark.parametrize("coroutine", [True, False])
def test_an_awaitable_that_comes_back_is_closed_and_no_match(
    caplog: pytest.LogCaptureFixture, coroutine: bool
) -> None:
    """Of a manager for threads it never counts as True, and no coroutine is left unawaited."""

    def wrap() -> Recorder:
        return Recorder(answer=later() if coroutine else Soon())

    manager = flags.FeatureManager(holding(flag("x", CUSTOM)), feature_filters=[wrap()])
    assert not manager.is_enabled("x")
    manager = flags.FeatureManager(
        holding(flag("x", targeting(DefaultRolloutPercentage=0, Users=["Adam"]), **TOLD)),
        targeting_context_accessor=wrap(),
        on_feature_evaluated=wrap(),
    )
    assert not manager.is_enabled("x")
    assert caplog.text.count("has to be awaited") == 3


async def later() -> bool:
    """Answer later."""
    return True


class Soon:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Any:
        return iter(())


def test_the_accessor_is_called_only_when_a_flag_needs_a_context(manage: Manage) -> None:
    """Targeting, variants that are allocated, custom filters and telemetry need one."""
    from tests.support.managers import window

    allocated = {
        "variants": [{"name": "A"}],
        "allocation": {"user": [{"variant": "A", "users": ["Brian"]}]},
    }
    accessor = Recorder(answer=TargetingContext("Adam"))
    manager = manage(
        holding(
            flag("plain"),
            flag("window", window(Start="2020-01-01")),
            flag("default", variants=[{"name": "A"}], allocation={"default_when_enabled": "A"}),
            {"id": "off", "enabled": False},
            flag("targeting", targeting(Users=["Adam"])),
            flag("variants", **allocated),
            flag("custom", CUSTOM),
            flag("told", **TOLD),
        ),
        targeting_context_accessor=accessor,
        on_feature_evaluated=Recorder(),
        feature_filters=[Recorder()],
    )
    for name in ("plain", "window", "default", "off", "unknown"):
        manager.is_enabled(name)
        manager.get_variant(name)
    assert accessor.calls == []
    for count, name in enumerate(("targeting", "variants", "custom", "told"), start=1):
        assert manager.is_enabled(name)
        assert manager.is_enabled(name, "Brian") is (name != "targeting")
        assert len(accessor.calls) == count


def test_an_accessor_that_knows_nobody(manage: Manage, caplog: pytest.LogCaptureFixture) -> None:
    """None is nobody, as outside of a request, and nothing to warn of; `strict` is content, too."""
    flags_of_two = holding(flag("x", targeting(Users=["Adam"])))
    nobody = {"targeting_context_accessor": Recorder(answer=None)}
    assert not manage(flags_of_two, **nobody).is_enabled("x")
    assert not manage(flags_of_two, strict=True, **nobody).is_enabled("x")
    assert not caplog.records


@pytest.mark.parametrize("given", [5, [], {"user_id": "Adam"}])
def test_an_accessor_that_returns_no_context(
    manage: Manage, caplog: pytest.LogCaptureFixture, given: object
) -> None:
    """The empty context is used, and one warning says what is wrong."""
    manager = manage(
        holding(flag("x", targeting(Users=["Adam"]))),
        targeting_context_accessor=Recorder(answer=given),
    )
    assert [manager.is_enabled("x") for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert "targeting_context_accessor" in caplog.text


def raising(manage: Manage, error: Exception, **more: Any) -> tuple[Any, dict[str, Recorder]]:
    """Return a manager all of whose functions raise."""
    functions = {name: Recorder(answer=error) for name in ("filter", "accessor", "callback")}
    manager = manage(
        more.pop("config", None) or holding(flag("x", CUSTOM, **TOLD)),
        feature_filters=[functions["filter"]],
        targeting_context_accessor=functions["accessor"],
        on_feature_evaluated=functions["callback"],
        **more,
    )
    return manager, functions


def test_errors_of_functions_are_told_once_in_a_generation(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter counts as no match; type and function are logged, never the error's text."""
    config = holding(flag("x", CUSTOM, **TOLD))
    manager, functions = raising(manage, KeyError(SECRET), config=config)
    for generation in (1, 2):
        assert [manager.is_enabled("x") for _ in range(3)] == [False] * 3
        assert len(caplog.records) == 3 * generation
        config["feature_management"] = {"feature_flags": [flag("x", CUSTOM, **TOLD)]}
    assert [len(one.calls) for one in functions.values()] == [6, 6, 6]
    assert caplog.text.count("KeyError") == 6
    assert "Recorder" in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_a_strict_manager_lets_errors_of_functions_through(manage: Manage) -> None:
    """Those of filter, accessor and callback alike."""
    for left in ("filter", "accessor", "callback"):
        manager, functions = raising(manage, KeyError(SECRET), strict=True)
        for name, function in functions.items():
            function.answer = {"filter": True, "accessor": "Adam", "callback": None}[name]
        functions[left].answer = KeyError(SECRET)
        with pytest.raises(KeyError):
            manager.is_enabled("x")


def test_one_event_for_each_evaluation(manage: Manage) -> None:
    """`is_enabled`, `get_variant`, `get_value` and `evaluate` tell one, the others none."""
    events: list[EvaluationEvent] = []
    manager = manage(
        holding(flag("told", **TOLD), flag("silent"), {"id": "off", **TOLD}),
        on_feature_evaluated=events.append,
    )
    for method in ("is_enabled", "get_variant", "get_value", "evaluate"):
        default = [None] if method == "get_value" else []
        getattr(manager, method)("told", *default, "Adam")
        (event,) = events
        events.clear()
        assert (event.user, event.enabled, event.variant) == ("Adam", True, None)
        assert event.feature is not None
        assert event.feature.name == "told"
        assert event.feature.telemetry.metadata == {"team": "blue"}
    manager.evaluate_all("Adam")
    manager.explain("told", "Adam")
    manager.names()
    manager.is_enabled("silent")
    manager.is_enabled("unknown")
    assert events == []
    assert not manager.is_enabled("off")
    assert [event.enabled for event in events] == [False]


def test_log_records_are_told_by_loggers_of_their_own() -> None:
    """No handler is installed, also none by a filter."""
    before = list(logging.getLogger().handlers)
    manager = flags.FeatureManager(holding(flag("x", targeting(Users=["Adam"]))))
    manager.is_enabled("x")
    assert logging.getLogger().handlers == before
    assert logging.getLogger("appconfig_provider.flags").handlers == []


@pytest.mark.parametrize("times", [1, 2])
def test_a_filter_that_asks_for_its_own_flag_does_not_match(
    times: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It would never end, and asking twice would take for ever: one warning says what it does."""

    class Own(flags.FeatureFilter):
        calls = 0

        def evaluate(self, context: Any, **kwargs: Any) -> bool:
            self.calls += 1
            return any(manager.is_enabled("x") for _ in range(times))

    own = Own()
    manager = flags.FeatureManager(holding(flag("x", {"name": "Own"})), feature_filters=[own])
    assert not manager.is_enabled("x")
    assert own.calls == 1
    (record,) = caplog.records
    assert "evaluates its own flag for the same user" in record.getMessage()


def test_an_awaited_filter_that_asks_for_its_own_flag_does_not_match(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same in asyncio, and by way of another flag."""

    class Other(aio.FeatureFilter):
        async def evaluate(self, context: Any, **kwargs: Any) -> bool:
            return await manager.is_enabled("x" if context["feature_name"] == "y" else "y")

    listed = holding(flag("x", {"name": "Other"}), flag("y", {"name": "Other"}))
    manager = aio.FeatureManager(listed, feature_filters=[Other()])
    assert not asyncio.run(manager.is_enabled("x"))
    (record,) = caplog.records
    assert "evaluates its own flag for the same user" in record.getMessage()


def test_a_filter_may_ask_for_its_own_flag_for_somebody_else() -> None:
    """That ends: a tenant may have what its parent has."""

    class Parent(flags.FeatureFilter):
        def evaluate(self, context: Any, **kwargs: Any) -> bool:
            user: str = kwargs["user"]
            return user == "a" or manager.is_enabled("x", user.rpartition("/")[0])

    manager = flags.FeatureManager(
        holding(flag("x", {"name": "Parent"})), feature_filters=[Parent()]
    )
    assert manager.is_enabled("x", "a/b/c")
