"""The first state: of the store, or of the copy that an earlier run has kept."""

from __future__ import annotations

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.first_generation import first_generation
from appconfig_provider._azure.generation import Generation
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.overlay import NO_OVERLAY, Overlay
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.state import State, first_timers
from appconfig_provider._azure.stored.reading import read_copy
from appconfig_provider._azure.stored.serving import Outage, built_of_copy, state_of_copy
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._live.standing import Attempt
from appconfig_provider._plan import Steps, plan
from appconfig_provider.trouble import drop_frames


@plan
def start(context: Context) -> Steps[State]:
    """Return the first state: of the store, or of the copy that an earlier run has kept.

    The copy is not used when every endpoint refuses the program: its access may have been revoked.

    Raises:
        RequestFailed: every endpoint of a round answered 400, 401, 403 or 404.
        NotInTime: the budget is used up.
        Exception: no generation can be made of what the store holds.
    """
    options = context.options
    # Files come first: one that is missing or broken is told at once, however slow the store is.
    overlay = (yield from _first_overlay(options)) if options.overrides else NO_OVERLAY
    began = context.clock.monotonic()
    if options.local:
        allowed = Allowed(began + options.load_budget, "the time of load()")
        return (yield from _without_store(context, overlay, allowed))
    copy = yield from read_copy(context)
    if copy is not None and options.copy.first:
        allowed = Allowed(began + options.copy.wait, f"wait={options.copy.wait:g} s")
        built = yield from built_of_copy(context, copy, overlay, allowed)
        if isinstance(built, Generation):
            return state_of_copy(context, copy, built, overlay, Outage(first_endpoints(options)))
        # A secret that cannot be read now says nothing about the copy.
        copy = copy if isinstance(built, UnresolvedReference) else None
    # Imported here: a program that serves a copy first does without what sends requests.
    from appconfig_provider._azure.from_store import from_store

    return (yield from from_store(context, copy, overlay, began))


@plan
def _first_overlay(options: Options) -> Steps[Overlay]:
    from appconfig_provider.overrides.reading import read_first

    readings = yield from read_first(options.overrides)
    layers = tuple([one.layer for one in readings])
    return Overlay(readings, layers, local=options.local)


@plan
def _without_store(context: Context, overlay: Overlay, allowed: Allowed) -> Steps[State]:
    """Return the first state of a program that has overrides alone."""
    content = Content()
    generation = yield from first_generation(context, content, overlay.served, allowed)
    if generation.trouble is not None:
        drop_frames(generation.trouble)
    instant = context.now()
    return State(
        generation=generation,
        values=generation.values,
        snapshot=generation.snapshot,
        content=content,
        sentinels=(),
        endpoints=first_endpoints(context.options),
        timers=first_timers(instant.monotonic, context.options),
        attempt=Attempt(instant, instant, generation.trouble),
        unread=generation.trouble,
        overlay=overlay,
    )
