"""Filters: the two that are built in, and those that a program brings.

A filter of a flag compiles to an evaluator: to that of the flag, where there is nothing else.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from time import time
from typing import Any, NamedTuple, TypeAlias, TypeVar

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.flags.context import NOBODY, Request, TargetingContext, request
from appconfig_provider.flags.evaluation import (
    MATCHED,
    NOT_MATCHED,
    Decision,
    Evaluator,
    InvalidFlag,
    Trace,
)
from appconfig_provider.flags.reporting import NotAwaited, OwnFlag, Reporter
from appconfig_provider.flags.targeting import Targeting
from appconfig_provider.flags.windows import read_window, time_window
from appconfig_provider.texts import kind_of
from appconfig_provider.trouble import drop_frames, name_of

Compiler: TypeAlias = Callable[[Mapping[str, Any], str], Evaluator]
"""Compiles a filter, as the flag of that name has it."""
FilterT = TypeVar("FilterT", bound=type)

TARGETING = "Microsoft.Targeting"
TIME_WINDOW = "Microsoft.TimeWindow"


class NamedFilter(ABC):
    """What filters for threads and for asyncio share: a name."""

    _alias: str | None = None

    @property
    def name(self) -> str:
        """The name by which flags refer to the filter: its alias, or the name of its class."""
        return self._alias or type(self).__name__

    @staticmethod
    def alias(alias: str) -> Callable[[FilterT], FilterT]:
        """Decorate a filter's class with the name by which flags refer to it."""

        def named(kind: FilterT) -> FilterT:
            kind._alias = alias  # type: ignore[attr-defined]  # any class that has `name`
            return kind

        return named


class FeatureFilter(NamedFilter):
    """A filter of a program; `flags.aio` has its twin for filters that wait."""

    @abstractmethod
    def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether the filter matches.

        `context` is the filter as the flag has it (`name`, `parameters`) with the flag's name as
        `feature_name`. The keywords are `user`, `groups` and what the caller passed on.
        """


@NamedFilter.alias(TIME_WINDOW)
class TimeWindowFilter(FeatureFilter):
    """The filter that is built in for time windows."""

    built_in = TIME_WINDOW

    def evaluate(self, context: Mapping[str, Any], **_kwargs: Any) -> bool:
        """Tell whether it is time, by the machine's clock."""
        span = read_window(context.get("parameters") or {})
        return span is not None and span(time())[2]


@NamedFilter.alias(TARGETING)
class TargetingFilter(FeatureFilter):
    """The filter that is built in for targeting."""

    built_in = TARGETING

    def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether `user` or one of `groups` belongs to the audience."""
        given = TargetingContext(kwargs.get("user") or "", kwargs.get("groups") or ())
        audience = Targeting(context.get("parameters") or {}, context.get("feature_name") or "")
        ignore_case = bool(kwargs.get("ignore_case"))
        return audience.evaluate(request(given, {}, ignore_case=ignore_case), None).enabled


class Awaited(Exception):
    """An evaluation came to a filter that must be awaited; not an error.

    Who evaluates awaits `answer`, writes it into the request's `answers` under `key`, and evaluates
    once more: evaluators themselves never wait, so that one of them serves threads and asyncio.
    """

    def __init__(
        self, key: int, answer: Any, failed: Callable[[Exception], None], call: object
    ) -> None:
        super().__init__("a filter has to be awaited")
        self.key = key
        self.answer = answer
        self.failed = failed
        self.call = call
        """What `asking` takes while it is awaited."""


_asked: ContextVar[tuple[object, ...]] = ContextVar("asked", default=())


@contextmanager
def asking(call: object) -> Iterator[None]:
    """Note which filter is asked, and for which user, while it is.

    A filter that evaluates its own flag for the same user would never end, and one that does so
    twice would not even come to the limit of recursion.

    Raises:
        OwnFlag: it is being asked already.
    """
    before = _asked.get()
    if call in before:
        raise OwnFlag("it evaluates its own flag for the same user, which would never end")
    token = _asked.set((*before, call))
    try:
        yield
    finally:
        _asked.reset(token)


class Rules(NamedTuple):
    """What the flags of a manager are compiled with."""

    filters: Mapping[str, Compiler]
    """What compiles a filter, by the filter's name."""
    windows: frozenset[str]
    """The names of filters that do not look at the context."""
    ignore_unknown: bool


class Surroundings(NamedTuple):
    """What filters are compiled with, besides the flag."""

    clock: Callable[[], float]
    """Returns seconds since 1970."""
    reporter: Reporter
    awaits: bool
    """True when whoever evaluates can await a filter."""


def registered(filters: Iterable[Any], *, awaits: bool) -> dict[str, Any]:
    """Return the filters by name; later ones replace earlier and built-in ones.

    Raises:
        ValueError: an object is no filter.
        TypeError: it is asynchronous, and only `flags.aio` could await it.
    """
    found: dict[str, Any] = {one.name: one for one in (TimeWindowFilter(), TargetingFilter())}
    for one in filters:
        name = getattr(one, "name", None)
        if not isinstance(name, str) or not callable(getattr(one, "evaluate", None)):
            raise ValueError(
                f"Custom filter must be a subclass of FeatureFilter, or have name and evaluate; "
                f"{kind_of(one)} has not"
            )
        if not awaits and is_coroutine_function(one.evaluate):
            raise TypeError(
                f"filter {name} is asynchronous; use FeatureManager of appconfig_provider.flags.aio"
            )
        found[name] = one
    return found


def rules_of(filters: Mapping[str, Any], around: Surroundings, *, ignore_unknown: bool) -> Rules:
    """Return the rules for filters by name."""
    compilers: dict[str, Compiler] = {}
    kinds = {name: vars(type(one)).get("built_in") for name, one in filters.items()}
    for name, one in filters.items():
        if kinds[name] is None:
            compilers[name] = partial(_custom, one.evaluate, around)
        elif kinds[name] == TARGETING:
            compilers[name] = _targeting
        else:
            compilers[name] = partial(_window, around)
    windows = frozenset(name for name, kind in kinds.items() if kind == TIME_WINDOW)
    return Rules(compilers, windows, ignore_unknown)


def takes_keywords(filters: Mapping[str, Any]) -> bool:
    """Tell whether there is a filter of the program, which keywords may be for."""
    return any("built_in" not in vars(type(one)) for one in filters.values())


def filter_evaluator(given: Mapping[str, Any], flag: str, rules: Rules) -> Evaluator | None:
    """Compile one filter of a flag; None for one that nobody knows and that is to be ignored.

    What is wrong with it is raised when an evaluation comes to it, and not before.
    """
    compiler = rules.filters.get(given["name"])
    try:
        if compiler is not None:
            return compiler(given, flag)
        if rules.ignore_unknown:
            return None
        raise InvalidFlag(f"Feature flag {flag} has unknown filter {given['name']}")
    except InvalidFlag as error:
        return _failing(error)


def _parameters(given: Mapping[str, Any], flag: str) -> Mapping[str, Any]:
    parameters: Any = given.get("parameters")
    if isinstance(parameters, dict):
        return parameters
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise InvalidFlag(f"Feature flag {flag}: parameters of a filter must be a JSON object")
    return parameters


def _targeting(given: Mapping[str, Any], flag: str) -> Evaluator:
    parameters = given.get("parameters")
    if not isinstance(parameters, dict):
        parameters = _parameters(given, flag)
    return Targeting(parameters, flag).evaluate


def _window(around: Surroundings, given: Mapping[str, Any], flag: str) -> Evaluator:
    span = read_window(_parameters(given, flag))
    if span is not None:
        return time_window(span, around.clock)

    def never(_context: Any, trace: Trace) -> Decision:
        around.reporter.told_once(flag, "has a TimeWindow filter with neither Start nor End")
        if trace is not None:
            trace.append("the window has neither Start nor End")
        return NOT_MATCHED

    return never


def _failing(error: InvalidFlag) -> Evaluator:
    drop_frames(error)

    def fails(_context: Any, _trace: Trace) -> Decision:
        raise error.again()

    return fails


def _custom(evaluate: Any, around: Surroundings, given: Mapping[str, Any], flag: str) -> Evaluator:
    reporter, key = around.reporter, id(given)
    shown = {**given, "feature_name": flag}

    def failed(error: Exception) -> None:
        reporter.user_error(flag, f"filter {name_of(evaluate)}", error)

    def matches(context: Any, trace: Trace) -> Decision:
        answers = context.answers if context.__class__ is Request else {}
        answer = answers.get(key)
        if answer is None:
            call = id(shown), (context or NOBODY)[0]
            try:
                with asking(call):
                    answer = evaluate(dict(shown), **_keywords(context))
                if not inspect.isawaitable(answer):
                    answer = bool(answer)
            except Exception as error:
                failed(error)
                answer = False
            if answer.__class__ is not bool:
                if around.awaits:
                    raise Awaited(key, answer, failed, call)
                answer = refused(answer, failed)
            answers[key] = answer  # an evaluation that begins again asks nobody twice
        if trace is not None:
            trace.append("the program's filter " + ("matches" if answer else "does not match"))
        return MATCHED if answer else NOT_MATCHED

    return matches


def refused(answer: Any, failed: Callable[[Exception], None]) -> bool:
    """Close something that nobody can await here, and report it; it counts as no match."""
    closed(answer)
    failed(NotAwaited("it has to be awaited; use FeatureManager of appconfig_provider.flags.aio"))
    return False


def closed(awaitable: Any) -> None:
    """Close something that nobody awaits; what cannot be closed is left alone."""
    with suppress(Exception):
        awaitable.close()


def _keywords(context: Any) -> dict[str, Any]:
    """Return what a program's filter is called with; user and groups are always the context's."""
    user, groups = context or NOBODY
    if context.__class__ is not Request:
        return {"user": user, "groups": list(groups or ())}
    more = {"ignore_case": True} if context.ignore_case else {}
    return {**context.keywords, **more, "user": user, "groups": list(groups or ())}
