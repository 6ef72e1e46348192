"""What prerequisite flags came to, so that none is evaluated again and again.

A few settings that need each other twice take a time that doubles with each of them. So within one
call of a program the first `REPEATED` conditions of prerequisites are evaluated as often as they
are needed, with their warnings and their log. After that each setting is evaluated once, and what
it came to is used again. An answer can be kept because it is of one user and of one config, and
because a setting that needs itself has none.
"""

from __future__ import annotations

from appconfig_provider.configcat.evaluation.decisions import InvalidSetting

REPEATED = 2_000
"""Conditions of prerequisites."""


class Prerequisites:
    """The values of settings that others needed, within one call."""

    __slots__ = ("_failed", "_steps", "_values")

    def __init__(self) -> None:
        self._steps = 0
        self._values: dict[str, object] = {}
        self._failed: dict[str, int] = {}
        """How many settings needed one another where a setting could not be evaluated."""

    def step(self) -> None:
        """Note that a condition is evaluated."""
        self._steps += 1

    def known(self, key: str, depth: int) -> tuple[object] | None:
        """Return the value of a setting, in a tuple, where it is not to be evaluated again.

        Raises:
            InvalidSetting: it could not be evaluated before.
        """
        if self._steps <= REPEATED:
            return None
        if depth >= self._failed.get(key, depth + 1):
            raise InvalidSetting("A prerequisite flag cannot be evaluated.")
        return (self._values[key],) if key in self._values else None

    def keep(self, key: str, value: object) -> None:
        """Keep the value of a setting."""
        self._values[key] = value

    def failed(self, key: str, depth: int) -> None:
        """Note that a setting cannot be evaluated, `depth` settings away from the first.

        Nearer to the first it may succeed: how many may need one another is limited.
        """
        self._failed[key] = min(depth, self._failed.get(key, depth))
