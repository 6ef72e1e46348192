"""What the outside is told of a refresh: callbacks, and log lines with names but never values."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator

from appconfig_provider._engine.refresh import Outcome
from appconfig_provider._engine.state import State
from appconfig_provider._plan import Invoke, Steps, ask, plan
from appconfig_provider.callbacks import Callback, Subscription
from appconfig_provider.models import NO_LABEL
from appconfig_provider.options import Options
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from appconfig_provider.texts import printable, quoted
from appconfig_provider.trouble import MAX_MESSAGE, drop_frames, name_of, told

logger = logging.getLogger("appconfig_provider")

_KEYS_IN_LOG = 20


@plan
def call_back(
    options: Options, outcome: Outcome, subscriptions: Iterable[Subscription]
) -> Steps[None]:
    """Tell the user's functions about a refresh, each on its own: one that raises stops nothing.

    When all have returned, the error of the refresh has no frames any more: `status` keeps it.
    """
    try:
        for callback, news in _calls(options, outcome, subscriptions):
            try:
                yield from ask(Invoke(callback.function, callback.arguments(news)))
            except Exception as error:
                name = name_of(callback.function)
                logger.error("the callback %s failed: %s", name, told(error))  # noqa: TRY400 - no text
    finally:
        if outcome.error is not None:
            drop_frames(outcome.error)


def _calls(
    options: Options, outcome: Outcome, subscriptions: Iterable[Subscription]
) -> Iterator[tuple[Callback, object]]:
    """Yield whom to tell what; decided at each one's turn, since a callback may cancel another."""
    if outcome.error is not None:
        for callback in options.error_callbacks:
            yield callback, outcome.error
    if outcome.changes is not None:
        for callback in options.success_callbacks:
            yield callback, outcome.changes
        for subscription in subscriptions:
            concerning = subscription.news(outcome.changes)
            if concerning:
                yield subscription.callback, concerning


def log_problems(state: State, before: State | None) -> None:
    """Warn once of each setting that could not be used as what it claims to be."""
    known = before.problems if before else frozenset()
    if state.problems is known:
        return
    for problem in sorted(state.problems - known, key=lambda one: (one.key, one.label or "")):
        key, label = quoted(problem.key), quoted(problem.label)
        logger.warning("setting %s (label %s) %s", key, label, printable(problem.told, MAX_MESSAGE))


def log_what_waits(options: Options, state: State) -> None:
    """Warn of what will never happen, or only when somebody creates a key: often a typing error."""
    for key, sentinel in zip(options.watch, state.sentinels, strict=True):
        if sentinel.etag is None:
            label = None if key.label == NO_LABEL else key.label
            logger.warning(
                "watched key %s (label %s) is not in the store; refresh() waits for it to appear",
                quoted(key.key),
                quoted(label),
            )
    if math.isinf(state.due) and (options.success_callbacks or options.error_callbacks):
        logger.warning(
            "on_refresh_success or on_refresh_error was given, but nothing is watched; "
            "pass refresh_on=[...] or refresh_enabled=True"
        )


def change_told(snapshot: ConfigurationSnapshot, changes: ChangeSet) -> str:
    """Return the line about a change: names, never values."""
    parts = [
        f"{what} {', '.join(map(_name, keys[:_KEYS_IN_LOG]))}"
        + (f" and {len(keys) - _KEYS_IN_LOG} more" if len(keys) > _KEYS_IN_LOG else "")
        for what, keys in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("removed", changes.removed),
            ("flags", changes.flags),
        )
        if keys
    ]
    told = "; ".join(parts) or "no key differs"
    return f"configuration version {snapshot.version} ({changes.reason}): {told}"


def _name(key: str) -> str:
    """Return a key as a log line can hold it: a key may have line breaks, and a line has none."""
    return printable(key) if key.isprintable() else quoted(key)
