"""What the provider knows, as one frozen value.

Everything a reader or the next refresh needs is in `State`, and a refresh is a function from one
state to the next. The provider publishes it with a single assignment; that is why readers need no
lock and can never see half a refresh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from appconfig_provider._azure.generation import Generation
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.overlay import CHECK_INTERVAL, NO_OVERLAY, Overlay
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.secrets.rotation import Secrets
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._live.standing import NEVER_TRIED, Attempt, Instant, Standing
from appconfig_provider.models import JsonValue
from appconfig_provider.snapshot import ConfigurationSnapshot


class Reason(Enum):
    """Why a generation was loaded; `ChangeSet.reason` shows the value."""

    SENTINEL = "sentinel"
    PAGE = "page"
    FLAG = "flag"
    SECRET = "secret"  # noqa: S105 - the word, not one
    OVERRIDE = "override"
    PUSH = "push"
    FORCED = "forced"
    CACHE = "cache"
    """The store was asked because a copy of an earlier run is served."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Content that was loaded and rejected, and when it is tried again."""

    sentinels: tuple[Sentinel, ...]
    content: Content
    backoff: Backoff
    error: Exception = field(repr=False)
    """The public error."""
    only_flags: bool = False
    """True when only its flags differ from what is being served."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the cache holds for the next run, as far as this process knows."""

    content: Content | None = field(default=None, repr=False)
    """None before the first write or read."""
    sentinels: tuple[Sentinel, ...] = ()
    digest: str = ""
    loaded: float = 0.0
    """When the content was loaded, in seconds since 1970."""
    confirmed: float = -math.inf
    """The last confirmation that was written, or should have been, in seconds since 1970."""
    error: Exception | None = field(default=None, repr=False)
    """The public error of the last write, when it failed."""


@dataclass(frozen=True, slots=True)
class Timers:
    """When each kind of thing is checked again, on the monotonic clock; infinite is never."""

    settings: float = math.inf
    flags: float = math.inf
    secrets: float = math.inf
    push: float = math.inf
    """When settings and flags are checked because an event was pushed."""
    overrides: float = math.inf
    """When the files of overrides are checked."""
    heal: float = math.inf
    """When everything is checked, watched or not, because a copy of an earlier run is served."""

    def rearmed(self, now: float, options: Options, due: Due) -> Timers:
        """Return the timers; those of what was checked (`due`) are started anew."""
        # While a copy is served, settings are checked that are not watched: they stay that.
        watched = due.settings and not (due.heal and math.isinf(self.settings))
        return Timers(
            now + options.refresh.interval if watched else self.settings,
            now + (options.refresh.flag_interval or math.inf) if due.flags else self.flags,
            now + (options.secrets.interval or math.inf) if due.secrets else self.secrets,
            math.inf if due.store else self.push,
            now + CHECK_INTERVAL if due.overrides else self.overrides,
            now + options.refresh.interval if due.heal else self.heal,
        )


@dataclass(frozen=True, slots=True)
class Due:
    """Which kinds of things to check now."""

    settings: bool
    flags: bool
    secrets: bool
    """True when every secret without a version is to be read."""
    owed: bool = False
    """True when some secret is owed and may be read now."""
    cause: Reason | None = None
    """`PUSH` or `FORCED` when that is why something is checked; None when a timer has passed."""
    forced: bool = False
    """True when back-offs are ignored."""
    overrides: bool = False
    """True when the files of overrides are to be checked."""
    heal: bool = False
    """True when everything is to be checked because a copy of an earlier run is served."""

    @property
    def remote(self) -> bool:
        """True when a store or a vault is to be asked."""
        return self.store or self.secrets or self.owed

    @property
    def store(self) -> bool:
        """True when a request to the store is needed."""
        return self.settings or self.flags


@dataclass(frozen=True, slots=True)
class State:
    """One generation and everything that belongs to it."""

    generation: Generation
    """What is being served."""
    values: Mapping[str, JsonValue] = field(repr=False)
    """The values of the generation, once more: so a read costs one attribute, not two."""
    snapshot: ConfigurationSnapshot
    """The snapshot of the generation, once more for the same reason."""
    content: Content = field(repr=False)
    sentinels: tuple[Sentinel, ...]
    """One per watched key, as they were *before* the data was read: so no update can be lost."""
    endpoints: Endpoints
    timers: Timers
    rejected: Rejected | None = None
    attempt: Attempt = NEVER_TRIED
    unread: Exception | None = None
    """The public error of secrets that are owed and could not be read; None when none failed."""
    overlay: Overlay = NO_OVERLAY
    kept: Kept = Kept()
    flags_confirmed: Instant | None = None
    """When the store last said that it has the flags that are served; None where it has none."""

    @property
    def standing(self) -> Standing:
        """How the store is doing, as the runtime sees it."""
        free_at, local = self.endpoints.free_at, self.overlay.local
        return Standing(
            self.attempt,
            self.due,
            free_at,
            self.errors,
            local,
            self.kept.error,
            self.flags_confirmed,
        )

    @property
    def is_empty(self) -> bool:
        """True until the store answers, where there was neither a store nor a copy at start.

        Nothing is built then, whatever else is due: nobody knows yet which settings there are, so
        neither `validate` nor a binding could judge them.
        """
        return not self.snapshot.version

    @property
    def copy_of(self) -> datetime | None:
        """When the copy that is served was loaded; None when the store has confirmed it."""
        return self.snapshot.loaded_at if self.snapshot.stale else None

    @property
    def errors(self) -> tuple[Exception, ...]:
        """All errors that the state keeps: the one `status` shows, and those it may show later."""
        kept = (self.attempt.error, *self.lasting_errors)
        # Nearly always there is none, and each refresh asks twice.
        return () if kept == _NONE else tuple([one for one in kept if one is not None])

    @property
    def lasting_errors(self) -> tuple[Exception | None, ...]:
        """The errors that stand although the store answers; the first is the one to show."""
        refused = self.rejected.error if self.rejected else None
        return refused, self.unread, self.overlay.broken, self.overlay.refused

    @property
    def lasting_error(self) -> Exception | None:
        """The one of these that `status` shows; None when nothing is wrong."""
        return next((one for one in self.lasting_errors if one is not None), None)

    @property
    def due(self) -> float:
        """When a refresh has something to do: a timer has passed and some endpoint is free."""
        due = min(self.store_at, self.timers.overrides)
        if not self.generation.secrets:
            return min(due, self.timers.secrets)
        return min(due, self.secrets_at, self.owed_at)

    @property
    def store_at(self) -> float:
        """When the next request to the store is due; infinite when nothing of it is watched."""
        timers = self.timers
        store = min(timers.settings, timers.flags, timers.heal)
        if math.isinf(store):
            return store
        return max(min(store, timers.push), self.endpoints.free_at)

    @property
    def secrets_at(self) -> float:
        """When `secret_refresh_interval` has passed.

        While all secrets fail, not before the first back-off ends: otherwise the interval would
        send requests to vaults that are backing off.
        """
        secrets = self.generation.secrets
        if not secrets:
            return self.timers.secrets
        live = [one for one in secrets.values() if not one.fixed or one.value is None]
        failing = bool(live) and all(one.backoff.failures for one in live)
        return max(self.timers.secrets, self.owed_at) if failing else self.timers.secrets

    @property
    def owed_at(self) -> float:
        """When the first owed secret is to be read; infinite when none is owed."""
        secrets = self.generation.secrets
        return min(secret.due for secret in secrets.values()) if secrets else math.inf

    def what_is_due(self, now: float, *, force: bool) -> Due:
        """Return what a refresh has to check; with `force` everything that has a timer."""
        free = force or self.endpoints.free_at <= now
        timers = self.timers
        pushed = timers.push <= now

        def passed(timer: float) -> bool:
            return timer <= now and not math.isinf(timer)

        def wanted(timer: float, *, sooner: bool) -> bool:
            return not math.isinf(timer) and (force or sooner or timer <= now)

        owed = self.owed_at <= now
        store = (timers.settings, timers.flags, timers.heal)
        # While a copy is served, whatever makes the store due has everything checked.
        stale = not math.isinf(timers.heal)
        heal = stale and free and (force or pushed or any(map(passed, store)))
        on_time = owed or any(map(passed, (*store, self.secrets_at)))
        changing = any(not secret.fixed for secret in self.generation.secrets.values())
        return Due(
            settings=heal or (free and wanted(timers.settings, sooner=pushed)),
            flags=heal or (free and wanted(timers.flags, sooner=pushed)),
            secrets=wanted(self.secrets_at, sooner=False) or (force and changing),
            owed=owed,
            cause=None if on_time else Reason.PUSH if pushed else Reason.FORCED,
            forced=force,
            overrides=wanted(timers.overrides, sooner=False),
            heal=heal,
        )

    def publishing(self, generation: Generation) -> State:
        """Return the state with another generation, and the error of secrets that it has left."""
        failing = any(secret.backoff.failures for secret in generation.secrets.values())
        return replace(
            self,
            generation=generation,
            values=generation.values,
            snapshot=generation.snapshot,
            unread=generation.trouble or (self.unread if failing else None),
        )

    def with_secrets(self, secrets: Secrets) -> State:
        """Return the state with other records of secrets; the published values stay as they are."""
        return replace(self, generation=replace(self.generation, secrets=secrets))

    def all_rearmed(self, now: float, options: Options) -> State:
        """Return the state with all timers started anew, except that of a pushed event."""
        every = self.what_is_due(math.inf, force=True)
        rearmed = self.rearmed(now, options, every)
        timers = replace(rearmed.timers, push=self.timers.push, heal=self.timers.heal)
        return replace(rearmed, timers=timers)

    def rearmed(self, now: float, options: Options, due: Due) -> State:
        """Return the state; the timers of what was checked (`due`) are started anew."""
        return replace(self, timers=self.timers.rearmed(now, options, due))


_NONE = (None,) * 5


def first_timers(now: float, options: Options) -> Timers:
    """Return the timers of a provider that has just been loaded."""
    watched = bool(options.refresh.watch) or options.refresh.watch_pages
    return Timers(
        now + options.refresh.interval if watched else math.inf,
        now + (options.refresh.flag_interval or math.inf),
        now + (options.secrets.interval or math.inf)
        if options.secrets.vaults.configured
        else math.inf,
        overrides=now + CHECK_INTERVAL if options.watches_files else math.inf,
    )
