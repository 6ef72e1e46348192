"""Flags that a test overrides, in its own context or in all threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from appconfig_provider.flags.evaluation import Decision, Match, Variant

_in_context: ContextVar[tuple[Overriding, ...]] = ContextVar("overriding", default=())


class Overrides:
    """The blocks that override flags of one manager."""

    __slots__ = ("active",)

    def __init__(self, active: Iterable[Overriding] = ()) -> None:
        self.active: dict[Overriding, None] = dict.fromkeys(active)
        """The blocks that have begun and not ended, in whichever context."""

    def decision(self, name: str) -> Decision | None:
        """Return the decision for a flag that is overridden here; the innermost block counts."""
        here = _in_context.get()
        for block in reversed(tuple(self.active)):
            decision = block.decisions.get(name)
            if decision is not None and (block.begun if block.everywhere else block in here):
                return decision
        return None


class Overriding:
    """A `with` block in which flags have the values that were given; it may be used once."""

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
        self.begun = False
        self.decisions = {name: _decision(value) for name, value in flags.items()}

    def __enter__(self) -> None:
        if not self.everywhere:
            _in_context.set((*_in_context.get(), self))
        self.begun = True
        self._overrides.active[self] = None
        self._notice()

    def __exit__(self, *_: object) -> None:
        self.begun = False
        self._overrides.active.pop(self, None)
        if not self.everywhere:
            # Not by a token: a fixture may end in another context than it began in.
            _in_context.set(tuple(one for one in _in_context.get() if one is not self))
        self._notice()


def _decision(value: Any) -> Decision:
    if isinstance(value, bool):
        return Decision(Match.OVERRIDDEN, enabled=value)
    return Decision(Match.OVERRIDDEN, Variant("overridden", value), enabled=True)
