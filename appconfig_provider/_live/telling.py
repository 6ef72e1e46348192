"""What the user is told of a refresh: callbacks, and a log line with names but never values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from appconfig_provider._live.callbacks import Callback, Subscription
from appconfig_provider._live.source import LiveOptions, Outcome, State
from appconfig_provider._plan import Invoke, Steps, perform, plan
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from appconfig_provider.texts import printable, quoted
from appconfig_provider.trouble import describe, drop_frames, name_of

logger = logging.getLogger("appconfig_provider")

MAX_KEYS_IN_LOG = 20


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt to refresh, as those hear of it who hear of every one."""

    changes: ChangeSet | None
    error: Exception | None = field(repr=False)
    recovered: bool
    """True when the attempt before it failed, and this one did not."""


class Telling:
    """What the user's functions are told of an outcome; what is broken off goes on later."""

    __slots__ = ("calls", "outcome")

    def __init__(
        self,
        outcome: Outcome[State],
        options: LiveOptions,
        subscriptions: Iterable[Subscription],
        attempts: Iterator[tuple[Callback, Attempted]],
    ) -> None:
        self.outcome = outcome
        self.calls = chain(_calls(options, outcome, subscriptions), attempts)
        """Whom to tell what, of those that were not called yet."""


@plan
def call_back(telling: Telling) -> Steps[None]:
    """Tell the user's functions about a refresh, each on its own: one that raises stops nothing.

    When all have returned, the errors that the state keeps for `status` have no frames any more.
    """
    outcome = telling.outcome
    try:
        for callback, news in telling.calls:
            try:
                yield from perform(Invoke(callback.function, callback.arguments(news)))
            except Exception as error:
                name = name_of(callback.function)
                logger.error("the callback %s failed: %s", name, describe(error))  # noqa: TRY400 - no text
    finally:
        for kept in outcome.state.standing.errors:
            drop_frames(kept)
        if outcome.error is not None:
            drop_frames(outcome.error)


def _calls(
    options: LiveOptions, outcome: Outcome[State], subscriptions: Iterable[Subscription]
) -> Iterator[tuple[Callback, object]]:
    """Yield whom to tell what; decided at each one's turn, since a callback may cancel another."""
    if outcome.error is not None:
        for callback in options.error:
            yield callback, outcome.error
    if outcome.changes is not None:
        for callback in options.success:
            yield callback, outcome.changes
        for subscription in subscriptions:
            concerning = subscription.news(outcome.changes)
            if concerning:
                yield subscription.callback, concerning


def attempted(outcome: Outcome[State], before: State) -> Attempted:
    """Return what listeners of every attempt hear of this one."""
    failed = before.standing.attempt.error is not None
    error = outcome.state.standing.attempt.error
    return Attempted(outcome.changes, outcome.error, recovered=failed and error is None)


def change_told(snapshot: ConfigurationSnapshot, changes: ChangeSet) -> str:
    """Return the line about a change: names, never values."""
    parts = [
        f"{what} {', '.join(map(_name, keys[:MAX_KEYS_IN_LOG]))}"
        + (f" and {len(keys) - MAX_KEYS_IN_LOG} more" if len(keys) > MAX_KEYS_IN_LOG else "")
        for what, keys in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("removed", changes.removed),
            ("flags", changes.flags),
        )
        if keys
    ]
    message = "; ".join(parts) or "no key differs"
    return f"configuration version {snapshot.version} ({changes.reason}): {message}"


def _name(key: str) -> str:
    """Return a key as a log line can hold it: a key may have line breaks, and a line has none."""
    return printable(key) if key.isprintable() else quoted(key)
