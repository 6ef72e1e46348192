"""One refresh: local files, the shared cache and the server, each if it is due.

A part that fails leaves the settings that it gave before in force. The parts are put together at
the end, and what readers see is replaced only if something differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from appconfig_provider._live.source import Outcome
from appconfig_provider._live.standing import Instant
from appconfig_provider._plan import Steps, plan
from appconfig_provider.configcat.evaluation.document import Config
from appconfig_provider.configcat.evaluation.settings import merged
from appconfig_provider.configcat.fetching import reports
from appconfig_provider.configcat.fetching.entries import Entry
from appconfig_provider.configcat.fetching.options import SourceOptions
from appconfig_provider.configcat.fetching.overriding import CHECK_INTERVAL, read_local
from appconfig_provider.configcat.fetching.reports import NotRefreshed, Report
from appconfig_provider.configcat.fetching.shared import read_copies
from appconfig_provider.configcat.fetching.state import NEVER, State, with_settings
from appconfig_provider.configcat.refreshresult import RefreshResult
from appconfig_provider.snapshot import compare
from appconfig_provider.trouble import public

CONFIG, CACHE, OVERRIDE = "config", "cache", "override"
"""What a change set names as its reason."""


@dataclass(frozen=True, slots=True)
class _Refresh:
    """What the steps of one refresh have in common."""

    given: SourceOptions
    began: Instant
    force: bool

    @property
    def wall(self) -> float:
        return self.began.wall


@plan
def refresh(
    given: SourceOptions, before: State, *, force: bool, in_background: bool
) -> Steps[Outcome[State]]:
    """Do what is due; return the next state, and what has changed in it.

    In the background a start that finds an expired config in the cache returns that first, and is
    due again at once: the server may take long to answer, or hang.
    """
    run = _Refresh(given, given.now(), force)
    first = before.attempt.last is None
    state = replace(before, attempt=before.attempt.starting_at(run.began), reports=())
    if given.local is not None and (first or force or before.files_due <= run.began.monotonic):
        state = yield from _with_local(run, state)
    if given.local_only:
        state = _without_server(run, state)
    elif first or force or before.fetch_due <= run.began.monotonic:
        state = yield from _with_copies(run, state)
        if in_background and first and not force and _is_first_to_serve(run, before, state):
            # No attempt yet: who waits for the first one waits on.
            attempt = replace(state.attempt, last=None)
            state = replace(state, attempt=attempt, fetch_due=run.began.monotonic)
        else:
            state = yield from _with_server(run, state)
    return _outcome(run, before, state)


@plan
def _with_local(run: _Refresh, state: State) -> Steps[State]:
    """Return the state with the local settings as they are now."""
    given = run.given
    if given.local is None:
        raise AssertionError("called only where there are local settings")
    local, told = yield from read_local(given.local, state.local)
    due = run.began.monotonic + CHECK_INTERVAL if given.watches else NEVER
    return replace(state, local=local, files_due=due, reports=state.reports + told)


def _without_server(run: _Refresh, state: State) -> State:
    """Return the state of a client that sends nothing."""
    trouble, attempt = state.local.trouble, state.attempt
    if trouble is None:
        attempt = replace(attempt, success=run.began, answered=run.began, error=None)
    elif trouble in state.reports:
        attempt = replace(attempt, error=public(NotRefreshed(trouble)))
    why = "the client has local settings only (LocalOnly), so no request was sent"
    result = RefreshResult(is_success=False, error=why)
    return replace(state, attempt=attempt, fetch_due=NEVER, result=result)


@plan
def _with_copies(run: _Refresh, state: State) -> Steps[State]:
    """Return the state with what the shared cache holds, if that is newer."""
    given, entry = run.given, state.entry
    if given.cache is None:
        return state
    known = state.server.file or (None if entry is None else entry.file)
    files = given.files if known is None else (known,)
    copies, config, told = yield from read_copies(given.cache, files, state.copies, run.wall)
    news = copies.known is not state.copies.known and copies.known != state.copies.known
    state = replace(state, copies=copies, reports=state.reports + told)
    if copies.known is None or not news:
        return state
    # No other process can know a config from a time to come.
    found = replace(copies.known, fetched_at=min(copies.known.fetched_at, run.wall))
    if entry is None or found.fetched_at > entry.fetched_at or given.switch.offline:
        ago = run.wall - found.fetched_at
        confirmed = Instant(*(reading - ago for reading in run.began))
        # Another client has asked the server since, so an error of this one is over.
        error = None if 0 <= ago < given.live.interval else state.attempt.error
        state = replace(state, attempt=replace(state.attempt, success=confirmed, error=error))
        return _with_entry(state, found, config, CACHE)
    return state


@plan
def _with_server(run: _Refresh, state: State) -> Steps[State]:
    """Return the state after the server was asked, if it is to be."""
    given, entry = run.given, state.entry
    interval, begin = given.live.interval, run.began.monotonic
    later = begin + interval if given.fetches_by_itself else NEVER
    if given.switch.offline:
        return _failed(run, replace(state, fetch_due=later), reports.went_offline())
    if not run.force:
        age = run.wall - entry.fetched_at if entry is not None else interval
        if not given.fetches_by_itself:
            return replace(state, fetch_due=NEVER)
        if 0 <= age < interval:
            # Not before a back-off is over: it is not, where somebody has looked before it was due.
            due = max(begin + interval - age, state.server.backoff.until)
            return replace(state, fetch_due=due)
    # Imported here: a client that never sends anything is spared what sends requests.
    from appconfig_provider.configcat.fetching.download import download

    found = yield from download(given, state.server, entry)
    now = given.now()
    later = now.monotonic + interval if given.fetches_by_itself else NEVER
    state = replace(state, server=found.server, reports=state.reports + found.warnings)
    if found.failure is not None:
        until = found.server.backoff.until
        due = later if found.rests or not given.fetches_by_itself else until
        return _failed(run, replace(state, fetch_due=due), found.failure)
    if found.entry is None:
        raise AssertionError("an attempt has an entry or a failure")
    attempt = replace(
        state.attempt, success=now, answered=now, error=None, endpoint=found.server.origin
    )
    result = RefreshResult(is_success=True, error=None)
    state = replace(state, attempt=attempt, fetch_due=later, result=result)
    return _with_entry(state, found.entry, found.config, CONFIG)


def _is_first_to_serve(run: _Refresh, before: State, state: State) -> bool:
    """Tell whether the cache has brought a config that a request is to follow."""
    if state.entry is None or state.entry is before.entry or run.given.switch.offline:
        return False
    return not 0 <= run.wall - state.entry.fetched_at < run.given.live.interval


def _failed(run: _Refresh, state: State, failure: Report) -> State:
    """Return the state after the server was not asked, or gave no usable answer."""
    state = replace(state, result=RefreshResult(is_success=False, error=failure.text))
    if failure.event_id != reports.OFFLINE:
        attempt = replace(state.attempt, error=public(NotRefreshed(failure)))
        return replace(state, attempt=attempt, reports=(*state.reports, failure))
    # To be offline is no failure; who forces a refresh is told.
    return replace(state, reports=(*state.reports, failure)) if run.force else state


def _with_entry(state: State, entry: Entry, config: Config | None, reason: str) -> State:
    """Return the state with a config; `config` is None where its text is the one of before."""
    if config is None:
        return replace(state, entry=entry)
    remote = config.settings.keeping(state.remote)
    if remote == state.remote and state.entry is not None:
        remote = state.remote
    version = config.version if remote else None
    return replace(state, entry=entry, remote=remote, version=version, reason=reason)


def _outcome(run: _Refresh, before: State, state: State) -> Outcome[State]:
    """Put the parts together; return the new generation, or the old one if nothing differs."""
    error = state.attempt.error if state.attempt.error is not before.attempt.error else None
    local = run.given.local
    loaded = state.entry is not None or state.local.usable
    same = state.remote is before.remote and state.local.settings is before.local.settings
    if same and loaded == before.loaded:
        return Outcome(state, error=error)
    settings = state.remote
    if local is not None:
        settings = merged(state.remote, state.local.settings, local.behaviour)
    if settings == before.settings and loaded == before.loaded:
        return Outcome(state, error=error)
    origin = "cache" if state.reason == CACHE else "override" if state.entry is None else "store"
    new = with_settings(state, settings, run.began, origin, loaded=loaded)
    reason = OVERRIDE if state.remote is before.remote else state.reason
    return Outcome(new, compare(before.snapshot, new.snapshot, reason=reason), error=error)
