"""What a client tells: log records with ConfigCat's event ids, and calls of a program's hooks.

Records go to the logger `configcat`, which gets no handler from here. A hook that raises stops
nothing: its exception is logged by type and place, without its text, and told to `on_error`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from logging import ERROR, INFO, WARNING
from typing import TYPE_CHECKING, Any, TypeAlias

from appconfig_provider._live.callbacks import accepting
from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.configcat.configcatoptions import Hooks
from appconfig_provider.configcat.evaluation.notices import Notice
from appconfig_provider.trouble import describe, name_of

if TYPE_CHECKING:
    from appconfig_provider.configcat.evaluation.evaluators import EvaluationLog
    from appconfig_provider.configcat.fetching.reports import Report

logger = logging.getLogger("configcat")

NOT_PRESENT = 1000
NOT_FOUND = 2011
EXISTS = 3000
LOCAL_ONLY = 3202
EVALUATED = 5000
SWITCHED = 5200
OTHER = 0
"""Of records that ConfigCat's SDK has no event id for."""

_OF_EVALUATION = {"event_id": EVALUATED}
_EVALUATED = f"[{EVALUATED}] %s"

_HOOK_FAILED = "the hook %s failed: %s"

Call: TypeAlias = "tuple[Callable[..., object], tuple[object, ...]]"
"""A hook, and what it is to be called with."""

_in_hook: ContextVar[bool] = ContextVar("_in_hook", default=False)
"""True in a hook that is told of an evaluation or an error, and in what it calls: such a hook may
evaluate settings itself, and is not told of that, which would never end."""


class Events:
    """Tells the log and the hooks of one client."""

    __slots__ = ("_ended", "hooks")

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        """The program may add to them at any time."""
        self._ended = False

    @property
    def wants_evaluations(self) -> bool:
        """True when a hook is to hear of each evaluation."""
        return bool(self.hooks.flag_evaluated) and not self._ended

    def end(self) -> None:
        """Call no hook any longer."""
        self._ended = True

    def log(self, event_id: int, level: int, message: str, *arguments: object) -> None:
        """Write a record; an error is told to the hooks, too, without its event id."""
        if logger.isEnabledFor(level):
            write(event_id, level, message, *arguments)
        if level >= ERROR and self.hooks.error:
            self._tell(self.hooks.error, message % arguments if arguments else message)

    def notice(self, notice: Notice) -> None:
        """Tell of something that an evaluation has found."""
        self.log(notice.event_id, notice.level, notice.message, *notice.arguments)

    def report(self, reported: Report) -> None:
        """Tell of something that a download has found."""
        self.log(reported.event_id, reported.level, "%s", reported.text)

    def evaluated(self, details: object) -> None:
        """Tell the hooks of an evaluation."""
        self._tell(self.hooks.flag_evaluated, details)

    def switched(self, mode: str) -> None:
        """Log that the client is offline or online from now on."""
        self.log(SWITCHED, INFO, "Switched to %s mode.", mode)

    def no_effect(self, method: str) -> None:
        """Warn that a client with local settings only does not do something."""
        behaviour = "Client is configured to use the `%s` override behavior, "
        self.log(LOCAL_ONLY, WARNING, behaviour + "thus `%s()` has no effect.", "LocalOnly", method)

    def _tell(self, hooks: Iterable[Callable[[Any], object]], argument: object) -> None:
        if self._ended or _in_hook.get():
            return
        failures: list[tuple[Callable[..., object], Exception]] = []
        before = _in_hook.set(True)
        try:
            for hook in tuple(hooks):
                error = _called((hook, (argument,)))
                if error is not None:
                    failures.append((hook, error))
        finally:
            _in_hook.reset(before)
        for hook, error in failures:
            if hooks is self.hooks.error:  # which is not told of itself: that would never end
                write(OTHER, ERROR, _HOOK_FAILED, name_of(hook), describe(error))
            else:
                self._failed(hook, error)

    def ready(self) -> list[Call]:
        """Return the calls of hooks for a client that is ready."""
        return [] if self._ended else [(hook, ()) for hook in self.hooks.client_ready]

    def changed(self, settings: dict[str, Any]) -> list[Call]:
        """Return the calls of hooks for a config that has changed; each gets a dict of its own.

        A function that can take no argument gets none.
        """
        calls: list[Call] = []
        for hook in () if self._ended else tuple(self.hooks.config_changed):
            try:
                callback = accepting("on_config_changed", hook)
                calls.append((hook, callback.arguments(dict(settings))))
            except TypeError as error:
                self._failed(hook, error)
        return calls

    def call(self, one: Call) -> None:
        """Call a hook; its exception is told, and a coroutine is refused."""
        error = _called(one)
        if error is not None:
            self._failed(one[0], error)

    async def call_async(self, one: Call) -> None:
        """Call a hook, and await it if it is a coroutine function; its exception is told."""
        hook, arguments = one
        try:
            answer = hook(*arguments)
            if inspect.isawaitable(answer):
                await answer
        except Exception as error:
            self._failed(hook, error)

    def _failed(self, hook: Callable[..., object], error: Exception) -> None:
        self.log(OTHER, ERROR, _HOOK_FAILED, name_of(hook), describe(error))


def refuse_coroutines(hooks: Hooks, *, awaits: bool) -> None:
    """Check that a client can call its hooks; `awaits` is True in asyncio.

    Raises:
        TypeError: one is a coroutine function, and would not be awaited.
    """
    plain = [*hooks.flag_evaluated, *hooks.error]
    waited_for = [*hooks.client_ready, *hooks.config_changed]
    for hook in plain if awaits else plain + waited_for:
        if is_coroutine_function(hook):
            why = (
                "only on_client_ready and on_config_changed are awaited"
                if awaits
                else "use appconfig_provider.configcat.aio"
            )
            raise TypeError(f"the hook {name_of(hook)} is a coroutine function; {why}")


def _called(one: Call) -> Exception | None:
    """Call a hook; return its exception. A coroutine is refused."""
    hook, arguments = one
    try:
        answer = hook(*arguments)
        if inspect.isawaitable(answer):
            with suppress(Exception):
                answer.close()  # type: ignore[attr-defined]  # a coroutine has it
            raise TypeError("a coroutine function")
    except Exception as error:
        return error
    return None


def write(event_id: int, level: int, message: str, *arguments: object) -> None:
    """Write a record whose text begins with its event id."""
    extra = {"event_id": event_id}
    logger.log(level, "[%d] " + message, event_id, *arguments, extra=extra)  # noqa: G003 - two parts


def write_evaluation(log: EvaluationLog) -> None:
    """Write the log of an evaluation, whose text is made when a handler wants it.

    By a config of version 5 there is no event id in front of it.
    """
    if log.version == 5:
        logger.info("%s", log, extra=_OF_EVALUATION)
    else:
        logger.info(_EVALUATED, log, extra=_OF_EVALUATION)
