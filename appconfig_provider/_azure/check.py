"""Checking the store: whether anything has changed, and what it holds now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.listing.content import Content, Known, Selections
from appconfig_provider._azure.listing.load import lister, load_after, load_known, with_references
from appconfig_provider._azure.listing.pages import Lister, moved
from appconfig_provider._azure.listing.watch import answered_sentinels, read_sentinels
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.state import Due, Reason, Rejected, State
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Plan, Steps, VerifyConnections, gather, perform, plan
from appconfig_provider.trouble import EngineError


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The store holds the content that is being served, though perhaps in other pages."""

    content: Content
    clears_rejection: bool = False
    """True when newer content was rejected before, and is no longer in the store."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The store holds other content, which was loaded."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    """As they were before the content was read."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class Unusable:
    """The store holds other content that no generation can be made of (a snapshot is missing)."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    error: EngineError = field(repr=False)


Difference: TypeAlias = "Changed | Unusable"
Finding: TypeAlias = "Unchanged | Changed | Unusable"


@dataclass(frozen=True, slots=True)
class _Listed:
    """The content after the watched pages were listed; the rest is as it is being served."""

    content: Content
    settings: bool
    """True when the settings were listed."""
    flags: bool
    """True when the flags were listed."""
    refused: EngineError | None = None


@plan
def check(
    context: Context, state: State, due: Due, force: bool, attempt: EndpointAttempt
) -> Steps[Finding]:
    """Send all requests that are due in one batch; return what was found.

    Pages are requested with the ETags of the last load, even if that was rejected: its pages are
    most likely still there, and answer 304. But whether anything has changed is decided by
    comparing with what is being served.
    """
    options = context.options
    if due.heal:
        return (yield from _healed(context, state, force, attempt))
    reader: Lister | None = None
    if due.flags or (due.settings and options.refresh.watch_pages):
        # Here the check is also the load: the answers bring the pages that have changed.
        attempt.begin_reload()
        reader = yield from lister(attempt.session, options, state.sentinels)
    watch, previous = (options.refresh.watch, state.sentinels) if due.settings else ((), ())
    listed = _Listed(state.content, settings=False, flags=False)
    sentinels = state.sentinels
    reading = read_sentinels(attempt.session, watch, previous)
    try:
        if reader is None:
            seen = yield from reading
        else:
            listings = _listings(reader, options, due, state)
            seen, listed = yield from gather(reading, listings)
        sentinels = seen if due.settings else state.sentinels
        resting = not force and _backing_off(context, state.rejected)
        newer = sentinels != state.sentinels and not _is_rejected(
            state.rejected, sentinels, resting=resting
        )
        if newer or (attempt.session.displaced and due.settings):
            attempt.begin_reload()
            return (yield from _reloaded(attempt, options, due, state, listed.content, sentinels))
        if reader is None:
            return Unchanged(state.content)
        return (yield from _changes_of_pages(reader, state, listed, resting=resting))
    except RequestFailed:
        raise
    except EngineError as error:
        return Unusable(listed.content, sentinels, error)


@plan
def _healed(
    context: Context, state: State, force: bool, attempt: EndpointAttempt
) -> Steps[Finding]:
    """Load everything because a copy of an earlier run is served; known pages by their ETags.

    It counts as changed even if nothing differs: then it is known to be what the store holds. But
    content that was rejected is not tried again before its back-off has passed.
    """
    options, rejected = context.options, state.rejected
    trusted = options.copy.sentinels_only and rejected is None
    known = Known(_loaded_last(state), state.sentinels, trusted)
    watch = options.refresh.watch
    before = yield from answered_sentinels(attempt.session, watch, state.sentinels)
    resting = not force and _is_rejected(rejected, before, resting=_backing_off(context, rejected))
    if resting and before:
        return Unchanged(state.content)
    attempt.begin_reload()
    loaded = yield from load_known(attempt.session, options, known, before)
    if resting and rejected is not None and same_pages(rejected.content, loaded.content):
        return Unchanged(state.content)
    if loaded.refused is not None:
        return Unusable(loaded.content, loaded.sentinels, loaded.refused)
    return Changed(loaded.content, loaded.sentinels, Reason.CACHE)


@plan
def _reloaded(
    attempt: EndpointAttempt,
    options: Options,
    due: Due,
    state: State,
    listed: Content,
    sentinels: tuple[Sentinel, ...],
) -> Steps[Difference]:
    """Load everything after a sentinel has changed."""
    # All pages must show one point in time. The flags above were listed before it was chosen, so
    # they are listed again.
    again = due.flags and options.selection.pinned
    # Answers may have been displaced in the last load too: none of its pages is used again.
    last = Content() if attempt.session.displaced else _loaded_last(state)
    known = replace(listed, settings=last.settings, references=last.references)
    loaded = yield from load_after(attempt.session, options, sentinels, known, flags=again)
    if loaded.refused is not None:
        return Unusable(loaded.content, loaded.sentinels, loaded.refused)
    return Changed(loaded.content, loaded.sentinels, Reason.SENTINEL)


def _loaded_last(state: State) -> Content:
    """Return the content of the last load: most likely the store still holds it."""
    return state.content if state.rejected is None else state.rejected.content


@plan
def _listings(reader: Lister, options: Options, due: Due, state: State) -> Steps[_Listed]:
    """List the pages that are watched and due; the rest stays as it is being served.

    Flags are listed even if the settings cannot be used (a snapshot is missing).
    """
    known, served = _loaded_last(state), state.content
    pages = due.settings and options.refresh.watch_pages
    flags = due.flags and options.selection.flags is not None
    (setting_pages, one), (flag_pages, two) = yield from gather(
        _or_error(reader.settings(options.selection.settings, known.settings) if pages else None),
        _or_error(
            reader.flags(options.selection.flags or (), known.flags or ()) if flags else None
        ),
    )
    content = replace(
        served,
        settings=served.settings if setting_pages is None else setting_pages,
        flags=served.flags if flag_pages is None else flag_pages,
    )
    return _Listed(content, pages, flags, one or two)


@plan
def _or_error(
    listing: Plan[Selections] | None,
) -> Steps[tuple[Selections | None, EngineError | None]]:
    """Return a listing, or the error that makes it unusable.

    A `RequestFailed` is the endpoint's fault and is raised, so that the next endpoint is tried.
    """
    try:
        return (None if listing is None else (yield from listing)), None
    except RequestFailed:
        raise
    except EngineError as error:
        return None, error


@plan
def _changes_of_pages(
    reader: Lister, state: State, listed: _Listed, *, resting: bool
) -> Steps[Finding]:
    """Compare the listed pages with what is being served.

    `resting` is True while rejected content has its back-off: the same content is not tried again.
    """
    served, content, rejected = state.content, listed.content, state.rejected
    if listed.refused is not None:
        return Unusable(content, state.sentinels, listed.refused)
    settings = moved(served.settings, content.settings)
    flags = moved(served.flags or (), content.flags or ())
    if not settings and not flags:
        over = rejected is not None and _rejection_is_over(rejected, served, listed)
        return Unchanged(content, clears_rejection=over)
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


def _rejection_is_over(rejected: Rejected, served: Content, listed: _Listed) -> bool:
    """Tell whether the rejected content is no longer in the store.

    Called when all that was listed is as it is being served. What was not listed must be known to
    be the same, too.
    """
    if rejected.only_flags:
        return listed.flags
    same_flags = not moved(served.flags or (), rejected.content.flags or ())
    return listed.settings and (listed.flags or same_flags)


def same_pages(one: Content, other: Content) -> bool:
    """Tell whether two contents were read from the same pages."""
    return one.settings == other.settings and one.flags == other.flags


def _backing_off(context: Context, rejected: Rejected | None) -> bool:
    return rejected is not None and context.clock.monotonic() < rejected.backoff.until


def _is_rejected(
    rejected: Rejected | None, sentinels: tuple[Sentinel, ...], *, resting: bool
) -> bool:
    return rejected is not None and resting and rejected.sentinels == sentinels
