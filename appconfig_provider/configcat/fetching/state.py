"""Everything that is known of a ConfigCat config, as one frozen value.

A client begins with an empty state that is due. Readers use `settings` and `evaluators`; the rest
is what the next refresh needs to know.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider._live.standing import NEVER_TRIED, Attempt, Instant, Standing
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, Settings
from appconfig_provider.configcat.fetching.entries import Entry
from appconfig_provider.configcat.fetching.overriding import NO_LOCAL, Local
from appconfig_provider.configcat.fetching.reports import Report
from appconfig_provider.configcat.refreshresult import RefreshResult
from appconfig_provider.models import Explanation, JsonValue
from appconfig_provider.snapshot import ConfigurationSnapshot, Provenance, make_snapshot

NEVER = sys.float_info.max
"""The time of a check that is never due by itself. Not infinite: it may be forced."""
NOT_REFRESHED = RefreshResult(is_success=False, error="no refresh has ended yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What is known of the servers."""

    base: str
    """The address that is asked next."""
    origin: str = ""
    """The server that answered last."""
    file: str | None = None
    """The config file that it has; None until it gave one."""
    backoff: Backoff = FREE
    outage: bool = False
    """True since the last request failed."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What is known of the cache that a program shares with others."""

    known: Entry | None = None
    """What it holds, as far as this client has read or written it."""
    unreadable: str = ""
    """Why it could not be read the last time; empty where it could."""
    unwritable: Exception | None = field(default=None, repr=False)
    """Why it could not be written the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One state of a client."""

    values: Mapping[str, JsonValue] = field(repr=False)
    """The settings by key, as JSON."""
    snapshot: ConfigurationSnapshot
    """The same, for change sets."""
    settings: Settings = field(repr=False)
    """The settings of the server and those of the program, merged: what readers evaluate."""
    evaluators: Evaluators = field(repr=False)
    loaded: bool
    """False while there is neither a config nor a local setting."""
    entry: Entry | None
    """What the server, or the cache, gave; None until there is something."""
    remote: Settings = field(default_factory=lambda: NO_SETTINGS, repr=False)
    """The settings of `entry`."""
    version: int | None = None
    """The format of `entry`: 5 or 6; None where it has no setting to tell it by."""
    reason: str = ""
    """Where `remote` came from, for a change set: `config` or `cache`."""
    local: Local = NO_LOCAL
    server: Server
    copies: Copies = Copies()
    result: RefreshResult = NOT_REFRESHED
    """What the last attempt to ask the server came to."""
    reports: tuple[Report, ...] = ()
    """What the last attempt has to report."""
    attempt: Attempt = NEVER_TRIED
    fetch_due: float
    """When the server is asked again, on the monotonic clock."""
    files_due: float = NEVER
    """When files of local settings are checked again."""

    @property
    def standing(self) -> Standing:
        """How the source is doing, for the runtime."""
        errors = (self.attempt.error, self.copies.unwritable)
        return Standing(
            self.attempt,
            min(self.fetch_due, self.files_due),
            self.server.backoff.until,
            tuple([one for one in errors if one is not None]),
            local=self.fetch_due == NEVER and self.entry is None,
            cache_error=self.copies.unwritable,
        )

    @property
    def fetched_at(self) -> datetime:
        """When a server last confirmed the config (UTC); the year 1970 without one."""
        return _utc(0.0 if self.entry is None else self.entry.fetched_at)


def first_state(base: str, now: Instant, *, log_user: bool) -> State:
    """Return the state that a client begins with: empty, and due at once."""
    values, snapshot = shown(NO_SETTINGS, 0, now, "empty")
    return State(
        values=values,
        snapshot=snapshot,
        settings=NO_SETTINGS,
        evaluators=Evaluators(NO_SETTINGS, log_user=log_user),
        loaded=False,
        entry=None,
        server=Server(base=base),
        fetch_due=now.monotonic,
    )


def with_settings(
    before: State, settings: Settings, now: Instant, origin: str, *, loaded: bool
) -> State:
    """Return a new generation."""
    evaluators = before.evaluators.following(settings)
    settings = evaluators.settings  # those that are as before are the same objects
    values, snapshot = shown(settings, before.snapshot.version + 1, now, origin)
    return replace(
        before,
        values=values,
        snapshot=snapshot,
        settings=settings,
        evaluators=evaluators,
        loaded=loaded,
    )


def shown(
    settings: Settings, version: int, now: Instant, origin: str
) -> tuple[dict[str, JsonValue], ConfigurationSnapshot]:
    """Return settings as the runtime publishes them."""
    values: dict[str, JsonValue] = dict(settings)
    provenance = Provenance(version, _utc(now.wall), origin=origin)
    return values, make_snapshot(values, provenance, explain=_unexplained)


def _utc(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, timezone.utc)


def _unexplained(key: str) -> Explanation:
    raise KeyError(key)
