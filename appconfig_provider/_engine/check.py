"""Asking the store whether anything moved, and reading what did."""

from __future__ import annotations

from dataclasses import dataclass, replace

from appconfig_provider._engine.access import Turn
from appconfig_provider._engine.context import Context
from appconfig_provider._engine.load import Content, lister, load_after, with_references
from appconfig_provider._engine.pages import Lister, Selections, moved
from appconfig_provider._engine.state import Due, Rejected, State
from appconfig_provider._engine.watch import read_sentinels
from appconfig_provider._plan import Plan, Steps, VerifyConnections, ask, plan, together
from appconfig_provider._rest.failures import RequestFailed
from appconfig_provider._rest.responses import Sentinel
from appconfig_provider.options import Options
from appconfig_provider.trouble import EngineError


@dataclass(frozen=True, slots=True)
class Found:
    """What the store said: content that moved and why it was loaded, or that it cannot be used."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    reason: str
    refused: EngineError | None = None


CONFIRMED = Found(Content(), (), "confirmed")
"""The store holds what is being served, though something newer was rejected before."""


SAME = "same"
"""The reason of content that holds what is being served, though perhaps in other pages."""


@plan
def check(context: Context, state: State, due: Due, force: bool, turn: Turn) -> Steps[Found]:
    """Ask everything that is due in one batch; return what was found."""
    options = context.options
    reader: Lister | None = None
    if due.flags or (due.settings and options.watch_pages):
        # Here the check is the load: pages that changed come with the answer.
        turn.begin_reload()
        reader = yield from lister(turn.session, options, state.sentinels)
    watch, held = (options.watch, state.sentinels) if due.settings else ((), ())
    listed, sentinels = state.content, state.sentinels
    asked = read_sentinels(turn.session, watch, held)
    try:
        if reader is None:
            seen = yield from asked
        else:
            listings = _listings(reader, options, due, state.content)
            seen, listed = yield from _both(asked, listings)
        sentinels = seen if due.settings else state.sentinels
        resting = not force and _resting(context, state.rejected)
        if sentinels != state.sentinels and not _known_bad(
            state.rejected, sentinels, resting=resting
        ):
            turn.begin_reload()
            # One moment for all: flags that were listed before it was chosen are asked again.
            again = due.flags and options.pinned
            loaded = yield from load_after(turn.session, options, sentinels, listed, flags=again)
            return Found(loaded.content, loaded.sentinels, "sentinel")
        if reader is None:
            return Found(listed, state.sentinels, SAME)
        pages = due.settings and options.watch_pages
        return (yield from _listed(reader, state, listed, resting=resting, pages_asked=pages))
    except RequestFailed:
        raise
    except EngineError as error:
        return Found(listed, sentinels, "refused", refused=error)


@plan
def _both(
    sentinels: Plan[tuple[Sentinel, ...]], listings: Plan[Content]
) -> Steps[tuple[tuple[Sentinel, ...], Content]]:
    jobs: list[Plan[object]] = [sentinels, listings]
    seen, listed = yield from together(jobs)
    return seen, listed  # type: ignore[return-value]  # `together` is typed for plans of a kind


@plan
def _listings(reader: Lister, options: Options, due: Due, known: Content) -> Steps[Content]:
    """List what is watched by pages; the rest stays as it is known."""
    jobs: list[Plan[Selections]] = []
    pages = due.settings and options.watch_pages
    if pages:
        jobs.append(reader.settings(options.selectors, known.settings))
    if due.flags and options.flag_selectors is not None:
        jobs.append(reader.flags(options.flag_selectors, known.flags or ()))
    listed = list((yield from together(jobs)))
    settings = listed.pop(0) if pages else known.settings
    return replace(known, settings=settings, flags=listed.pop(0) if listed else known.flags)


@plan
def _listed(
    reader: Lister, state: State, listed: Content, *, resting: bool, pages_asked: bool
) -> Steps[Found]:
    """Return what the listed pages changed, if anything."""
    settings = moved(state.content.settings, listed.settings)
    flags = moved(state.content.flags or (), listed.flags or ())
    rejected = state.rejected
    if not settings and not flags:
        # Watching pages, this is the served content again: whatever was rejected is gone.
        if rejected and pages_asked:
            return CONFIRMED
        return Found(listed, state.sentinels, SAME)
    if rejected and resting and same_pages(rejected.content, listed):
        return Found(state.content, state.sentinels, SAME)
    content = (yield from with_references(reader, listed)) if settings else listed
    yield from ask(VerifyConnections(reader.session.origin))
    return Found(content, state.sentinels, "page" if settings else "flag")


def same_pages(one: Content, other: Content) -> bool:
    return one.settings == other.settings and one.flags == other.flags


def _resting(context: Context, rejected: Rejected | None) -> bool:
    return rejected is not None and context.clock.monotonic() < rejected.backoff.until


def _known_bad(
    rejected: Rejected | None, sentinels: tuple[Sentinel, ...], *, resting: bool
) -> bool:
    return rejected is not None and resting and rejected.sentinels == sentinels
