"""`Plan`, the `@plan` decorator, and what a plan can wait for: `perform` and `gather`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from appconfig_provider._plan.effects import Effect

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Stopped(Exception):
    """The driver of a plan was closed before the plan came to its end."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Run several plans concurrently; its outcome is their results, in the order of the plans."""

    plans: tuple[Plan[object], ...]


Steps: TypeAlias = Generator["Effect[object] | Gather", object, T]
"""The type a `@plan` function returns: it yields effects, is sent outcomes, returns `T`."""


class Plan(Generic[T_co]):
    """A job that has been described but not done. Iterate it once, with `yield from`."""

    __slots__ = ("_name", "_started", "_steps")

    def __init__(self, name: str, steps: Steps[T_co]) -> None:
        self._name = name
        self._steps = steps
        # Set last: if a signal handler raises in the middle of this constructor, the plan was not
        # forgotten, and `__del__` sees that by the missing attribute.
        self._started = False

    def __iter__(self) -> Steps[T_co]:
        self._started = True
        return self._steps

    def __repr__(self) -> str:
        return f"<plan {self._name}>"

    def __del__(self) -> None:
        try:
            started = self._started
        except AttributeError:
            return
        if not started:
            warnings.warn(
                f"plan {self._name!r} was never run: 'yield from' is missing",
                RuntimeWarning,
                stacklevel=2,
            )


def plan(function: Callable[P, Steps[T]]) -> Callable[P, Plan[T]]:
    """Make a generator function return a `Plan`, which warns if it is never run."""
    name = function.__name__

    @wraps(function)
    def describe(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return Plan(name, function(*args, **kwargs))

    return describe


@plan
def perform(effect: Effect[T]) -> Steps[T]:
    """Have one effect performed; return its outcome, or raise what it raised."""
    return cast("T", (yield effect))


@plan
def done(value: T) -> Steps[T]:
    """Return a value as a plan that has nothing to do."""
    yield from ()
    return value


@overload
def gather(one: Plan[T1], two: Plan[T2], /) -> Plan[tuple[T1, T2]]: ...
@overload
def gather(*plans: Plan[T]) -> Plan[tuple[T, ...]]: ...
def gather(*plans: Plan[Any]) -> Plan[tuple[Any, ...]]:
    """Run plans concurrently; when one raises, the others are closed."""
    return _gather(plans)


@plan
def _gather(plans: tuple[Plan[object], ...]) -> Steps[tuple[object, ...]]:
    if len(plans) == 1:
        # A single plan needs no frame of its own in the schedule; this is faster.
        return ((yield from plans[0]),)
    return cast("tuple[object, ...]", (yield Gather(plans)))
