"""What the sync and the async provider have in common: reading, status, logging, life after fork.

Theory. `_state` is the only thing a reader touches, and it is replaced whole. `_flight` is the
single-flight flag: whoever holds it may assign `_state`, nobody else. Both faces follow the same
steps (due? take the flag, run the plan, assign, call back, give the flag back); they differ only
in the words `async` and `await`.
"""

from __future__ import annotations

import logging
import math
import os
import random
import sys
import weakref
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from appconfig_provider._engine.context import Context
from appconfig_provider._engine.refresh import Outcome
from appconfig_provider._engine.state import State
from appconfig_provider._plan import Invoke, Steps, ask, plan
from appconfig_provider._rest.tracing import read_environment
from appconfig_provider._version import __version__
from appconfig_provider.callbacks import Callback, is_coroutine_function
from appconfig_provider.models import NO_LABEL, JsonValue, Status
from appconfig_provider.options import Options
from appconfig_provider.protocols import Clock
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from appconfig_provider.vaults import asynchronous

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    from appconfig_provider._drive.aio import AsyncDriver
    from appconfig_provider._drive.sync import SyncDriver

logger = logging.getLogger("appconfig_provider")

DriverT = TypeVar("DriverT", "SyncDriver", "AsyncDriver")
T = TypeVar("T")

Credential: TypeAlias = "TokenCredential | AsyncTokenCredential | None"

_KEYS_IN_LOG = 20


class LiveConfiguration(Mapping[str, JsonValue], Generic[DriverT]):
    """A Mapping of the newest generation; each call answers from a single one."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_context",
        "_driver",
        "_flight",
        "_monotonic",
        "_state",
    )

    def __init__(self, context: Context, driver: DriverT, state: State) -> None:
        self._context = context
        self._driver: DriverT = driver
        self._flight = Lock()
        self._monotonic = context.clock.monotonic
        self._closed = False
        self._state = state
        _living[id(self)] = self
        log_problems(state, None)
        _log_what_waits(context.options, state)

    # Every method of Mapping is spelt out: the inherited ones go through exceptions and
    # per-key look-ups, which costs up to ten times more.

    def __getitem__(self, key: str) -> JsonValue:
        return self._state.values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._state.values

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.values)

    def __len__(self) -> int:
        return len(self._state.values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LiveConfiguration):
            other = other.snapshot
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._state.values == dict(other)

    __hash__ = None  # type: ignore[assignment]  # like dict: equal by content, not hashable

    @overload
    def get(self, key: str, default: None = None) -> JsonValue: ...
    @overload
    def get(self, key: str, default: T) -> JsonValue | T: ...
    def get(self, key: str, default: object = None) -> object:
        """Return the value of a key, or `default`."""
        return self._state.values.get(key, default)

    def keys(self) -> KeysView[str]:
        """Return the keys of the current generation; the view stays with it."""
        return self._state.values.keys()

    def values(self) -> ValuesView[JsonValue]:
        """Return the values of the current generation; the view stays with it."""
        return self._state.values.values()

    def items(self) -> ItemsView[str, JsonValue]:
        """Return keys and values of the current generation; the view stays with it."""
        return self._state.values.items()

    def __repr__(self) -> str:
        snapshot = self._state.snapshot
        return (
            f"<{type(self).__name__} {self._context.options.stores[0].url} "
            f"version={snapshot.version} keys={len(snapshot)}>"
        )

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The current generation, for several reads that must agree and for `dict(...)`."""
        return self._state.snapshot

    @property
    def status(self) -> Status:
        """How refreshing goes; reads memory only."""
        state, (now, wall) = self._state, self._context.moment()
        attempt = state.attempt
        free = min(endpoint.backoff.until for endpoint in state.endpoints)
        confirmed = attempt.success[0] if attempt.success else -math.inf
        return Status(
            generation=state.snapshot.version,
            last_attempt=_utc(attempt.last),
            last_success=_utc(attempt.success),
            last_error=attempt.error,
            age=now - confirmed,
            stale=state.snapshot.stale,
            endpoint=attempt.endpoint,
            backoff_until=_utc((now, wall + free - now)) if free > now else None,
            requests_sent=self._driver.sent,
        )

    def _due(self, *, force: bool) -> bool:
        """Tell whether a refresh has anything to do; asked again once the flag is held."""
        if self._closed or (force and math.isinf(self._state.due)):
            return False
        return force or self._monotonic() >= self._state.due

    def _publish(self, outcome: Outcome) -> bool:
        """Make a refresh's outcome the current state; the one assignment readers can see."""
        before = self._state
        self._state = outcome.state
        if outcome.error is not None:
            logger.warning("configuration not refreshed: %s", outcome.error)
        log_problems(outcome.state, before)
        if outcome.changes is None:
            return False
        logger.info("%s", _told(outcome.state.snapshot, outcome.changes))
        return True

    def _after_fork_in_child(self) -> None:
        """Begin a life of our own: the parent's thread may hold the flag, its sockets are its."""
        self._flight = Lock()
        _left_to_the_parent.append(self._driver)
        self._driver = self._driver.for_child()
        state, options = self._state, self._context.options
        every = state.what_is_due(math.inf, force=True)
        self._state = state.rearmed(self._monotonic(), options, every)


def make_context(options: Options, clock: Clock, credential: Credential) -> Context:
    """Return what plans are given instead of the world."""
    version = ".".join(map(str, sys.version_info[:3]))
    agent = f"appconfig-provider/{__version__} Python/{version}"
    if options.user_agent:
        agent = f"{options.user_agent} {agent}"
    own = {name for name, _ in options.extra_headers}
    usual = (("user-agent", agent), ("accept", "*/*"))
    kept = tuple((name, value) for name, value in usual if name not in own)
    environment = read_environment(os.environ, _feature_management(options))
    headers = kept + options.extra_headers
    return Context(options, credential, clock, random.random, headers, environment)


def _feature_management(options: Options) -> str:
    """Return the version of the library that will read the flags, for the tracing header."""
    if options.flag_selectors is None:
        return ""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("featuremanagement")
    except PackageNotFoundError:
        return ""


def refuse_coroutines(options: Options) -> None:
    """Say at once that a coroutine function would never be awaited here."""
    callbacks = (*options.success_callbacks, *options.error_callbacks)
    functions = [callback.function for callback in callbacks]
    functions += [one for one in (options.configuration_mapper, options.validate) if one]
    for function in functions:
        if is_coroutine_function(function):
            raise TypeError(
                f"{function!r} is a coroutine function; use appconfig_provider.aio.load"
            )
    own = getattr(options.credential, "get_token", None)
    if is_coroutine_function(own) or asynchronous(options.vaults) is not None:
        raise TypeError(
            "a credential or secret_resolver is asynchronous; use appconfig_provider.aio.load, or "
            "the credential of the same name in azure.identity"
        )


@plan
def call_back(options: Options, outcome: Outcome) -> Steps[None]:
    """Tell the user's functions about a refresh, each on its own: one that raises stops nothing."""
    calls: list[tuple[Callback, object]] = []
    if outcome.error is not None:
        calls += [(callback, outcome.error) for callback in options.error_callbacks]
    if outcome.changes is not None:
        calls += [(callback, outcome.changes) for callback in options.success_callbacks]
    for callback, news in calls:
        try:
            yield from ask(Invoke(callback.function, callback.arguments(news)))
        except Exception:
            logger.exception("the callback %r raised", callback.function)


def log_problems(state: State, before: State | None) -> None:
    """Warn once of each setting that could not be used as what it claims to be."""
    known = before.problems if before else frozenset()
    for problem in sorted(state.problems - known, key=lambda one: (one.key, one.label or "")):
        logger.warning("setting %r (label %r) %s", problem.key, problem.label, problem.told)


def _log_what_waits(options: Options, state: State) -> None:
    """Warn of what will never happen, or only when somebody creates a key: often a typing error."""
    for key, sentinel in zip(options.watch, state.sentinels, strict=True):
        if sentinel.etag is None:
            label = None if key.label == NO_LABEL else key.label
            logger.warning(
                "watched key %r (label %r) is not in the store; refresh() waits for it to appear",
                key.key,
                label,
            )
    if math.isinf(state.due) and (options.success_callbacks or options.error_callbacks):
        logger.warning(
            "on_refresh_success or on_refresh_error was given, but nothing is watched; "
            "pass refresh_on=[...] or refresh_enabled=True"
        )


def _told(snapshot: ConfigurationSnapshot, changes: ChangeSet) -> str:
    """Return the line about a change: names, never values."""
    parts = [
        f"{what} {', '.join(keys[:_KEYS_IN_LOG])}"
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


def _utc(moment: tuple[float, float] | None) -> datetime | None:
    return datetime.fromtimestamp(moment[1], timezone.utc) if moment else None


_living: weakref.WeakValueDictionary[int, LiveConfiguration[Any]] = weakref.WeakValueDictionary()
_left_to_the_parent: list[object] = []
"""Connections a child inherited; kept, because closing them could end the parent's."""


def _renew_after_fork() -> None:
    for configuration in list(_living.values()):
        configuration._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
