"""Loading everything in a way that cannot lose an update.

The rule: the sentinels are read before the data and again after it. The next refresh compares with
the ETags from *before* the data. If the ETags after it differ, somebody deployed during the load,
and the load is repeated, at most `MAX_LOADS` times; then the content is published as inconsistent.
The ETags that are kept are always older than the data, so a later refresh sees every change that
the load may have missed.
"""

from __future__ import annotations

from dataclasses import replace

from appconfig_provider._azure.listing.content import Content, Known, Loaded
from appconfig_provider._azure.listing.pages import Lister
from appconfig_provider._azure.listing.point_in_time import LIVE, choose_point_in_time
from appconfig_provider._azure.listing.watch import UNSEEN, answered_sentinels, read_sentinels
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.settings.layering import referenced_snapshots
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Steps, VerifyConnections, gather, perform, plan
from appconfig_provider.trouble import EngineError

MAX_LOADS = 3


@plan
def lister(session: Session, options: Options, sentinels: tuple[Sentinel, ...]) -> Steps[Lister]:
    """Return a `Lister` for a session; the sentinels decide the point in time, if one is wanted."""
    as_of = (
        (yield from choose_point_in_time(session, sentinels)) if options.selection.pinned else LIVE
    )
    return Lister(session, detailed=options.selection.mapper is not None, as_of=as_of)


@plan
def load(session: Session, options: Options, known: Known) -> Steps[Loaded]:
    """Read sentinels, settings and flags, and the sentinels again.

    What is `known` is asked for by its ETags, unless answers were displaced: it may be wrong then.
    """
    watch = options.refresh.watch
    sentinels = known.sentinels or (UNSEEN,) * len(watch)
    before = yield from answered_sentinels(session, watch, sentinels)
    return (yield from load_known(session, options, known, before))


@plan
def load_known(
    session: Session, options: Options, known: Known, before: tuple[Sentinel, ...]
) -> Steps[Loaded]:
    """Do what `load` does after the sentinels (`before`) were read for the first time."""
    content = Content() if session.displaced else known.content
    there = bool(before) and all(one.etag is not None for one in before)
    unmoved = known.trusted and there and before == known.sentinels
    if unmoved and content.consistent and not session.displaced:
        yield from perform(VerifyConnections(session.origin))
        return Loaded(content, before)
    flags = options.selection.flags is not None
    try:
        return (yield from load_after(session, options, before, content, flags=flags))
    except RequestFailed:
        raise
    except EngineError as error:
        return Loaded(content, before, error)


@plan
def load_after(
    session: Session,
    options: Options,
    before: tuple[Sentinel, ...],
    known: Content,
    *,
    flags: bool,
) -> Steps[Loaded]:
    """Read the content after the sentinels (`before`) were read; repeat while they change.

    Pages of `known` content are requested with their ETags. Without `flags` the flags of `known`
    are kept.
    """
    for _ in range(MAX_LOADS):
        sentinels = before
        reader = yield from lister(session, options, sentinels)
        known, refused = yield from _read_content(reader, options, known, flags=flags)
        if refused is not None:
            yield from perform(VerifyConnections(session.origin))
            return Loaded(known, sentinels, refused)
        before = yield from read_sentinels(session, options.refresh.watch, sentinels)
        # If answers were displaced, the last one has come by now and is left on a connection.
        yield from perform(VerifyConnections(session.origin))
        if before == sentinels:
            return Loaded(known, sentinels)
    return Loaded(replace(known, consistent=False), sentinels)


@plan
def _read_content(
    reader: Lister, options: Options, known: Content, *, flags: bool
) -> Steps[tuple[Content, EngineError | None]]:
    selection = options.selection
    settings = reader.settings(selection.settings, known.settings)
    if flags and selection.flags is not None:
        listed = yield from gather(settings, reader.flags(selection.flags, known.flags or ()))
        known = replace(known, settings=listed[0], flags=listed[1])
    else:
        known = replace(known, settings=(yield from settings))
    return (yield from with_references(reader, known))


@plan
def with_references(reader: Lister, content: Content) -> Steps[tuple[Content, EngineError | None]]:
    """Return the content with the snapshots that its settings refer to, or the error of one.

    With an error the content is returned as it was read, so that the next refresh has its pages.
    """
    try:
        names = referenced_snapshots(content.settings)
        references = yield from reader.snapshots(names, content.references)
    except RequestFailed:
        raise
    except EngineError as error:
        return content, error
    return replace(content, references=references, consistent=True), None
