"""Flags that a test overrides, in its own context or in all threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from itertools import chain
from types import MappingProxyType
from typing import Any

from appconfig_provider.flags.evaluation import Decision, Match, Variant
from appconfig_provider.texts import kind_of

_in_context: ContextVar[tuple[Overriding, ...]] = ContextVar("overriding", default=())


class Overrides:
    """The blocks that override flags of one manager."""

    __slots__ = ("active",)

    def __init__(self, active: Mapping[object, Overriding] = MappingProxyType({})) -> None:
        self.active: dict[object, Overriding] = dict(active)
        """The blocks that have begun and not ended, in whichever context; each by a key of that
        beginning, since one block may be entered by several threads."""

    def decision(self, name: str) -> Decision | None:
        """Return the decision for a flag that is overridden here; the innermost block counts."""
        here = _in_context.get()
        for block in reversed(tuple(self.active.values())):
            decision = block.decisions.get(name)
            if decision is not None and block.counts(here):
                return decision
        return None

    def names(self) -> Iterable[str]:
        """Return the names of the flags that are overridden here."""
        here = _in_context.get()
        blocks = [block for block in tuple(self.active.values()) if block.counts(here)]
        return chain.from_iterable(block.decisions for block in blocks)


class Overriding:
    """A `with` block in which flags have the values that were given.

    It may be entered again, also inside of itself and by several threads at once.
    """

    def __init__(
        self,
        overrides: Overrides,
        flags: Mapping[str, Any],
        notice: Callable[[], None],
        *,
        everywhere: bool,
    ) -> None:
        self._overrides = overrides
        self._notice = notice
        self.everywhere = everywhere
        self._begun: list[object] = []
        """A key for each time that it was entered and not left. Appending and taking the last item
        are single operations, so that threads need no lock."""
        self.decisions = {_checked(name): _decision(value) for name, value in _items(flags)}

    def counts(self, here: Sequence[Overriding]) -> bool:
        """Tell whether it counts in a context, of which the blocks are given."""
        return bool(self._begun) if self.everywhere else self in here

    def __enter__(self) -> None:
        if not self.everywhere:
            _in_context.set((*_in_context.get(), self))
        key = object()
        self._begun.append(key)
        self._overrides.active[key] = self
        self._notice()

    def __exit__(self, *_: object) -> None:
        self._overrides.active.pop(self._begun.pop(), None)
        if not self.everywhere:
            # Not by a token: a fixture may end in another context than it began in.
            here = list(_in_context.get())
            if self in here:
                del here[len(here) - 1 - here[::-1].index(self)]
            _in_context.set(tuple(here))
        self._notice()


def _items(flags: object) -> Iterable[tuple[object, Any]]:
    if not isinstance(flags, Mapping):
        raise TypeError(f"overriding() takes a dict of flags by name, not {kind_of(flags)}")
    return flags.items()


def _checked(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"overriding() takes names of flags, which are texts, not {kind_of(name)}")
    return name


def _decision(value: Any) -> Decision:
    if isinstance(value, bool):
        return Decision(Match.OVERRIDDEN, enabled=value)
    return Decision(Match.OVERRIDDEN, Variant("overridden", value), enabled=True)
