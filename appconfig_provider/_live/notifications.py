"""What follows a refresh: the calls of callbacks, and a log line with names but never values."""

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
    """One attempt to refresh, as listeners of every attempt get it."""

    changes: ChangeSet | None
    error: Exception | None = field(repr=False)
    recovered: bool
    """True when the attempt before it failed, and this one did not."""


class PendingCallbacks:
    """The callbacks to call after a refresh; when that is interrupted, the next refresh goes on."""

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
        """The callbacks that were not called yet, each with its argument."""


@plan
def call_back(pending: PendingCallbacks) -> Steps[None]:
    """Call the callbacks of a refresh, one after the other; one that raises does not stop the rest.

    Afterwards the errors that the state keeps for `status` lose their frames, which hold settings
    and secrets. Not before: a callback may want to log its exception with the traceback.
    """
    outcome = pending.outcome
    try:
        yield from call_each(pending.calls)
    finally:
        for error in (*outcome.state.standing.errors, *outcome.errors):
            drop_frames(error)


@plan
def call_each(calls: Iterable[tuple[Callback, object]]) -> Steps[None]:
    """Call callbacks, each with its argument; one that raises does not stop the rest."""
    for callback, argument in calls:
        try:
            yield from perform(Invoke(callback.function, callback.arguments(argument)))
        except Exception as error:
            name = name_of(callback.function)
            logger.error("the callback %s failed: %s", name, describe(error))  # noqa: TRY400 - no text


def _calls(
    options: LiveOptions, outcome: Outcome[State], subscriptions: Iterable[Subscription]
) -> Iterator[tuple[Callback, object]]:
    """Yield each callback with its argument.

    A generator, since a callback may cancel a subscription that comes after it.
    """
    for error in outcome.errors:
        for callback in options.error:
            yield callback, error
    if outcome.changes is not None and not outcome.silent:
        for callback in options.success:
            yield callback, outcome.changes
        for subscription in subscriptions:
            relevant = subscription.relevant(outcome.changes)
            if relevant:
                yield subscription.callback, relevant


def attempted(outcome: Outcome[State], before: State) -> Attempted:
    """Return what listeners of every attempt get for this one."""
    failed = before.standing.attempt.error is not None
    error = outcome.state.standing.attempt.error
    return Attempted(outcome.changes, outcome.error, recovered=failed and error is None)


def change_message(snapshot: ConfigurationSnapshot, changes: ChangeSet) -> str:
    """Return the log line about a change: key names, never values."""
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
    """Return a key for a log line: one with line breaks or the like is quoted and escaped."""
    return printable(key) if key.isprintable() else quoted(key)
