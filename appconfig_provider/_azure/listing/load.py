"""Loading everything in a way that cannot lose an update.

The rule: what the sentinels said *before* the data was read is what the next refresh compares
with. If they say something else after the data, the load raced with a deployment and is done
again, at most `MAX_LOADS` times; then it is published as inconsistent. Either way the ETags kept
are older than the data, so a later refresh sees every change that the load may have missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appconfig_provider._azure.listing.pages import Lister, Selections
from appconfig_provider._azure.listing.point_in_time import LIVE, choose_point_in_time
from appconfig_provider._azure.listing.watch import read_sentinels
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.settings.layering import Pages, referenced_snapshots
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Steps, VerifyConnections, gather, perform, plan
from appconfig_provider.trouble import EngineError

MAX_LOADS = 3


@dataclass(frozen=True, slots=True)
class Content:
    """What a generation is made of, as it was read from one endpoint."""

    settings: Selections = field(default=(), repr=False)
    references: Mapping[str, Pages] = field(default_factory=dict, repr=False)
    """The pages of each snapshot that settings refer to."""
    flags: Selections | None = field(default=None, repr=False)
    """None when feature flags are not loaded; an empty listing is not None."""
    consistent: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load read."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    refused: EngineError | None = None
    """Why the content cannot be used, where a snapshot is missing that it refers to."""


@plan
def lister(session: Session, options: Options, sentinels: tuple[Sentinel, ...]) -> Steps[Lister]:
    """Return who reads listings in a session, after these sentinels."""
    as_of = (
        (yield from choose_point_in_time(session, sentinels)) if options.selection.pinned else LIVE
    )
    return Lister(session, detailed=options.selection.mapper is not None, as_of=as_of)


@plan
def load(session: Session, options: Options) -> Steps[Loaded]:
    """Read sentinels, settings and flags, and the sentinels again."""
    before = yield from read_sentinels(session, options.refresh.watch, None)
    flags = options.selection.flags is not None
    loaded = yield from load_after(session, options, before, Content(), flags=flags)
    if loaded.refused is not None:
        raise loaded.refused
    return loaded


@plan
def load_after(
    session: Session,
    options: Options,
    before: tuple[Sentinel, ...],
    known: Content,
    *,
    flags: bool,
) -> Steps[Loaded]:
    """Read what belongs to sentinels that were just read; repeat while they move.

    Pages of `known` content are asked for by their ETags. Without `flags` those of `known` stay.
    """
    for _ in range(MAX_LOADS):
        sentinels = before
        reader = yield from lister(session, options, sentinels)
        known, refused = yield from _read_content(reader, options, known, flags=flags)
        if refused is not None:
            yield from perform(VerifyConnections(session.origin))
            return Loaded(known, sentinels, refused)
        before = yield from read_sentinels(session, options.refresh.watch, sentinels)
        # By now an answer that was displaced has come, and waits where nobody asked for it.
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
    """Return the content with the snapshots its settings refer to, and why it cannot be used.

    Content that cannot be used keeps what was read, so that it need not be read again.
    """
    try:
        names = referenced_snapshots(content.settings)
        references = yield from reader.snapshots(names, content.references)
    except RequestFailed:
        raise
    except EngineError as error:
        return content, error
    return replace(content, references=references, consistent=True), None
