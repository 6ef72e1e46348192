"""What is logged of flags: each thing once, names but never values.

Of an error that a function of the user raised only type, function and frames are logged.
"""

from __future__ import annotations

import logging
from typing import Any

from appconfig_provider.flags.context import WrongContext
from appconfig_provider.flags.evaluation import InvalidFlag
from appconfig_provider.snapshot import same
from appconfig_provider.texts import counted, printable, quoted
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider.flags")

MAX_UNKNOWN = 1_000
"""Names of unknown flags that are remembered; names may come from outside."""


class NotAwaited(TypeError):
    """A function of the program gave something to await to a manager that cannot wait."""


class OwnFlag(RuntimeError):
    """A filter of the program asks for the flag whose evaluation has called it."""


class Reporter:
    """Logs for one manager; with `strict` it raises what it would otherwise log of errors."""

    __slots__ = ("_flags", "_passed_over", "_reported", "_unknown", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self._flags: dict[str, Any] = {}
        """The flags of which something was told, by name, as they were then."""
        self._reported: dict[tuple[str, ...], object] = {}
        self._unknown: dict[str, object] = {}
        self._passed_over = False

    def new_generation(self) -> None:
        """Forget which errors of functions were logged: a generation logs each once."""
        if self._reported:
            self._reported = {}

    def bad_flag(self, name: str, raw: Any, error: Exception) -> None:
        """Log that a flag's content cannot be used; once for each text of the flag."""
        told = self._flags.get(name, self)
        if told is not raw and not (told is not self and same(told, raw)):
            self._flags[name] = raw
            logger.warning(
                "feature flag %s cannot be evaluated, so it is off or has its caller's default: %s",
                quoted(name),
                printable(error.told) if isinstance(error, InvalidFlag) else describe(error),
            )

    def told_once(self, name: str, message: str) -> None:
        """Log something about a flag, once in a generation."""
        if self._first(name, message):
            logger.warning("feature flag %s %s", quoted(name), message)

    def context(self, message: str) -> None:
        """Log something about a context, once in a generation."""
        if self._first("", message):
            logger.warning("%s", message)

    def bad_context(self, what: str, error: Exception) -> None:
        """Log why a context cannot be used, once in a generation.

        Raises:
            Exception: that error, with `strict`.
        """
        if self.strict:
            raise error
        told = str(error) if isinstance(error, WrongContext) else describe(error)
        self.context(f"{what} cannot be used, and counts as nobody: {told}")

    def user_error(self, name: str, what: str, error: Exception) -> None:
        """Log an error of a user's function, once for its type, the flag and the generation.

        Raises:
            Exception: that error, with `strict`.
        """
        if self.strict:
            raise error
        if self._first(name, what, type(error).__name__):
            told = str(error) if isinstance(error, NotAwaited | OwnFlag) else describe(error)
            logger.warning("%s failed for feature flag %s: %s", printable(what), quoted(name), told)

    def passed_over(self, entries: int) -> None:
        """Log that nobody can ask for some entries of the list of flags; once."""
        if entries and not self._passed_over:
            self._passed_over = True
            logger.warning(
                "feature_flags has %s without an id that is a text, which nobody can ask for",
                counted(entries, "item"),
            )

    def _first(self, *about: str) -> bool:
        token = object()
        # One operation of the dict: of several threads one is the first.
        return self._reported.setdefault(about, token) is token

    def unknown(self, name: object) -> bool:
        """Log that there is no such flag, once for each name; False when too many are known."""
        if not isinstance(name, str) or len(self._unknown) >= MAX_UNKNOWN:
            return False
        token = object()
        if self._unknown.setdefault(name, token) is token:
            logger.warning(
                "feature flag %s is not loaded, so it is off or has its caller's default",
                quoted(name),
            )
        return True
