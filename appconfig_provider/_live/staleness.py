"""Whether a configuration is stale, for integrations that ask at each of their calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from appconfig_provider._live.configuration import LiveConfiguration


class Staleness:
    """Tells whether flags are a copy of an earlier run, or were not confirmed for long.

    It costs a part of what `status` does: what it needs of a state is read once for each state.
    """

    __slots__ = ("_after", "_boottime", "_config", "_known", "_may_become", "_told", "_turned")

    def __init__(
        self,
        config: LiveConfiguration[Any, Any, Any, Any],
        after: float,
        turned: Callable[[bool], object],
    ) -> None:
        """Take the age, in seconds, that is too old; infinite means that age does not count.

        `turned` is called once for each change, by whoever notices it; at first nothing is stale.
        """
        self._config = config
        self._after = after
        self._turned = turned
        self._boottime = config._options.clock.boottime
        # One tuple, so that threads see all of it: a state, and when it becomes stale.
        self._known: tuple[object, float] = (None, math.inf)
        self._told = False
        """What was told last."""
        self._may_become: dict[bool, None] = {True: None}
        """What may be told next. Who takes the item tells it: a dict gives it to one thread."""

    def is_stale(self) -> bool:
        """Tell whether it is stale now."""
        state = self._config._state
        known, begin = self._known
        if known is not state:
            begin = self._begin(state)
            self._known = (state, begin)
        stale = begin < math.inf and self._boottime() > begin
        if stale is not self._told and self._may_become.pop(stale, self) is None:
            self._told = stale
            self._turned(stale)
            self._may_become[not stale] = None
        return stale

    def _begin(self, state: Any) -> float:
        """Return when a state becomes stale, by the clock for ages."""
        if state.snapshot.stale:
            return -math.inf
        standing = state.standing
        success = standing.flags or standing.attempt.success
        if standing.local or success is None:
            return math.inf if standing.local else -math.inf
        begin: float = success.boottime + self._after
        return begin
