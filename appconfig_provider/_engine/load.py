"""Loading everything in a way that cannot lose an update.

The rule: what the sentinels said *before* the data was read is what the next refresh compares
with. If they say something else after the data, the load raced with a deployment and is done
again, at most `MAX_LOADS` times; then it is published as inconsistent. Either way the ETags kept
are older than the data, so a later refresh sees every change that the load may have missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appconfig_provider._engine.pages import list_pages
from appconfig_provider._engine.state import Sentinel
from appconfig_provider._engine.watch import read_sentinels
from appconfig_provider._plan import Steps, plan, together
from appconfig_provider._rest.exchange import Session
from appconfig_provider._rest.responses import Page
from appconfig_provider._settings.layering import Problem, convert, layer
from appconfig_provider.models import JsonValue
from appconfig_provider.options import Options

MAX_LOADS = 3

Selections = tuple[tuple[Page, ...], ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load read from one endpoint."""

    selections: Selections
    sentinels: tuple[Sentinel, ...]
    consistent: bool


@plan
def load(
    session: Session,
    options: Options,
    before: tuple[Sentinel, ...] | None = None,
    known: Selections = (),
) -> Steps[Loaded]:
    """Read sentinels, every selector, and the sentinels again; repeat if they moved.

    `before` are sentinels that were just read, by the check that found the change. Without them
    they are read first.
    """
    if before is None:
        before = yield from read_sentinels(session, options.watch, None)
    for _ in range(MAX_LOADS):
        sentinels = before
        known = yield from _read_selections(session, options, known)
        before = yield from read_sentinels(session, options.watch, sentinels)
        if before == sentinels:
            return Loaded(known, sentinels, consistent=True)
    return Loaded(known, sentinels, consistent=False)


@plan
def _read_selections(session: Session, options: Options, known: Selections) -> Steps[Selections]:
    old = known or ((),) * len(options.selectors)
    listings = [
        list_pages(session, selector, {page.target: page for page in pages})
        for selector, pages in zip(options.selectors, old, strict=True)
    ]
    return (yield from together(listings))


def to_values(
    loaded: Loaded, options: Options
) -> tuple[Mapping[str, JsonValue], frozenset[Problem]]:
    """Return the configuration that the loaded settings make up."""
    settings = (
        setting for pages in loaded.selections for page in pages for setting in page.settings
    )
    return convert(layer(settings, options.prefixes))
