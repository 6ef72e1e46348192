"""Asking the store whether anything moved, and reading what did."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.listing.load import Content, lister, load_after, with_references
from appconfig_provider._azure.listing.pages import Lister, Selections, moved
from appconfig_provider._azure.listing.watch import read_sentinels
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.state import Due, Reason, Rejected, State
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Plan, Steps, VerifyConnections, gather, perform, plan
from appconfig_provider.trouble import EngineError


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The store holds what is being served, though perhaps in other pages."""

    content: Content
    clears_rejection: bool = False
    """True when something newer was rejected before and is gone now."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The store holds something else, which was loaded."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    """As they were before the content was read."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class Unusable:
    """The store holds something else, of which no generation can be made."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    error: EngineError = field(repr=False)


News: TypeAlias = "Changed | Unusable"
Finding: TypeAlias = "Unchanged | Changed | Unusable"


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the listings hold now: as it is known of those that were not asked."""

    content: Content
    settings: bool
    """True when the settings were asked."""
    flags: bool
    refused: EngineError | None = None


@plan
def check(
    context: Context, state: State, due: Due, force: bool, attempt: EndpointAttempt
) -> Steps[Finding]:
    """Ask everything that is due in one batch; return what was found.

    Pages are asked for by the ETags of what was loaded last, also when that was rejected. Whether
    anything moved is judged against what is being served.
    """
    options = context.options
    reader: Lister | None = None
    if due.flags or (due.settings and options.refresh.watch_pages):
        # Here the check is the load: pages that changed come with the answer.
        attempt.begin_reload()
        reader = yield from lister(attempt.session, options, state.sentinels)
    watch, previous = (options.refresh.watch, state.sentinels) if due.settings else ((), ())
    listed = _Listed(state.content, settings=False, flags=False)
    sentinels = state.sentinels
    asked = read_sentinels(attempt.session, watch, previous)
    try:
        if reader is None:
            seen = yield from asked
        else:
            listings = _listings(reader, options, due, state)
            seen, listed = yield from gather(asked, listings)
        sentinels = seen if due.settings else state.sentinels
        resting = not force and _resting(context, state.rejected)
        newer = sentinels != state.sentinels and not _known_bad(
            state.rejected, sentinels, resting=resting
        )
        if newer or (attempt.session.displaced and due.settings):
            attempt.begin_reload()
            return (yield from _reloaded(attempt, options, due, state, listed.content, sentinels))
        if reader is None:
            return Unchanged(state.content)
        return (yield from _moved(reader, state, listed, resting=resting))
    except RequestFailed:
        raise
    except EngineError as error:
        return Unusable(listed.content, sentinels, error)


@plan
def _reloaded(
    attempt: EndpointAttempt,
    options: Options,
    due: Due,
    state: State,
    listed: Content,
    sentinels: tuple[Sentinel, ...],
) -> Steps[News]:
    """Load what belongs to sentinels that moved."""
    # One moment for all: flags that were listed before it was chosen are asked again.
    again = due.flags and options.selection.pinned
    # Displaced answers may have spoilt what was loaded last: nothing of it is believed.
    last = Content() if attempt.session.displaced else _loaded_last(state)
    known = replace(listed, settings=last.settings, references=last.references)
    loaded = yield from load_after(attempt.session, options, sentinels, known, flags=again)
    if loaded.refused is not None:
        return Unusable(loaded.content, loaded.sentinels, loaded.refused)
    return Changed(loaded.content, loaded.sentinels, Reason.SENTINEL)


def _loaded_last(state: State) -> Content:
    """Return what was loaded last, which is what the store most likely holds still."""
    return state.content if state.rejected is None else state.rejected.content


@plan
def _listings(reader: Lister, options: Options, due: Due, state: State) -> Steps[_Listed]:
    """List what is watched by pages; the rest stays as it is being served.

    Settings that cannot be used (a snapshot is missing) do not keep flags from being listed.
    """
    known, served = _loaded_last(state), state.content
    pages = due.settings and options.refresh.watch_pages
    flags = due.flags and options.selection.flags is not None
    (setting_pages, one), (flag_pages, two) = yield from gather(
        _usable(reader.settings(options.selection.settings, known.settings) if pages else None),
        _usable(reader.flags(options.selection.flags or (), known.flags or ()) if flags else None),
    )
    content = replace(
        served,
        settings=served.settings if setting_pages is None else setting_pages,
        flags=served.flags if flag_pages is None else flag_pages,
    )
    return _Listed(content, pages, flags, one or two)


@plan
def _usable(
    listing: Plan[Selections] | None,
) -> Steps[tuple[Selections | None, EngineError | None]]:
    """Return a listing, or why it cannot be used, which is no fault of the endpoint."""
    try:
        return (None if listing is None else (yield from listing)), None
    except RequestFailed:
        raise
    except EngineError as error:
        return None, error


@plan
def _moved(reader: Lister, state: State, listed: _Listed, *, resting: bool) -> Steps[Finding]:
    """Return what the listed pages changed, if anything."""
    served, content, rejected = state.content, listed.content, state.rejected
    if listed.refused is not None:
        return Unusable(content, state.sentinels, listed.refused)
    settings = moved(served.settings, content.settings)
    flags = moved(served.flags or (), content.flags or ())
    if not settings and not flags:
        gone = rejected is not None and _gone(rejected, served, listed)
        return Unchanged(content, clears_rejection=gone)
    if rejected is not None and resting:
        bad_settings = not settings or content.settings == rejected.content.settings
        if bad_settings and (not flags or content.flags == rejected.content.flags):
            return Unchanged(served)
    refused: EngineError | None = None
    if settings:
        known = replace(content, references=_loaded_last(state).references)
        content, refused = yield from with_references(reader, known)
    yield from perform(VerifyConnections(reader.session.origin))
    if refused is not None:
        return Unusable(content, state.sentinels, refused)
    return Changed(content, state.sentinels, Reason.PAGE if settings else Reason.FLAG)


def _gone(rejected: Rejected, served: Content, listed: _Listed) -> bool:
    """Tell whether what was rejected is no longer in the store, which holds what is served."""
    if rejected.only_flags:
        return listed.flags
    unmoved = not moved(served.flags or (), rejected.content.flags or ())
    return listed.settings and (listed.flags or unmoved)


def same_pages(one: Content, other: Content) -> bool:
    """Tell whether two contents were read from the same pages."""
    return one.settings == other.settings and one.flags == other.flags


def _resting(context: Context, rejected: Rejected | None) -> bool:
    return rejected is not None and context.clock.monotonic() < rejected.backoff.until


def _known_bad(
    rejected: Rejected | None, sentinels: tuple[Sentinel, ...], *, resting: bool
) -> bool:
    return rejected is not None and resting and rejected.sentinels == sentinels
