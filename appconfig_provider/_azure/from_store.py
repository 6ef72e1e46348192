"""The first state when the store is asked: of what it holds, or of a copy instead.

The modules that `source`, `generation` and `notified` import only when they need them are imported
here already: a program that runs out of file descriptors cannot import anything.
"""

from __future__ import annotations

from dataclasses import replace

import appconfig_provider._azure.push
import appconfig_provider._azure.refresh
import appconfig_provider._azure.secrets.resolving
import appconfig_provider._azure.settings.sources  # noqa: F401 - see above
from appconfig_provider._azure.budgets import first_load_allowance
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.first_generation import first_generation
from appconfig_provider._azure.first_load import NobodyAnswered, load_first
from appconfig_provider._azure.generation import Generation, WrongMapper
from appconfig_provider._azure.listing.content import Known, Loaded
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.overlay import Overlay
from appconfig_provider._azure.state import Kept, State, first_timers
from appconfig_provider._azure.stored.fallback import (
    Failed,
    after_outage,
    after_refusal,
    without_store,
)
from appconfig_provider._azure.stored.keeping import is_to_be_kept, keep
from appconfig_provider._azure.stored.reading import Copy
from appconfig_provider._fetch.budget import Allowed, Budget
from appconfig_provider._fetch.first_answer import Answered
from appconfig_provider._live.notifications import call_each
from appconfig_provider._live.standing import Attempt
from appconfig_provider._plan import Steps, plan
from appconfig_provider.trouble import drop_frames


@plan
def from_store(context: Context, copy: Copy | None, overlay: Overlay, began: float) -> Steps[State]:
    """Return the first state; `began` is when `load()` did, on the monotonic clock.

    Raises:
        RequestFailed: every endpoint of a round answered 400, 401, 403 or 404.
        NotInTime: the budget is used up.
        Exception: no generation can be made of what the store holds.
    """
    found = yield from _loaded(context, copy, overlay, began)
    if isinstance(found, State):
        return (yield from keep(context, found)) if is_to_be_kept(context, found) else found
    served = yield from without_store(context, copy, overlay, found, began)
    error = served.attempt.error
    if error is not None:
        callbacks = context.options.callbacks.error
        yield from call_each([(callback, error) for callback in callbacks])
        drop_frames(error)
    return served


@plan
def _loaded(
    context: Context, copy: Copy | None, overlay: Overlay, began: float
) -> Steps[State | Failed]:
    """Return the first state, or why there is none where something else may be served."""
    known = Known()
    if copy is not None:
        context, known = replace(context, options=_hurried(context.options)), copy.known(context)
    options = context.options
    budget = Budget(began + options.load_budget, first_load_allowance(options))
    try:
        answer = yield from load_first(context, known, budget, began)
    except NobodyAnswered as failure:
        if copy is None and not options.copy.optional:
            raise
        return after_outage(context, failure)
    try:
        generation = yield from _generation_of(context, answer.result, overlay, budget.allowed)
    except WrongMapper:
        raise
    except Exception as error:
        if copy is None:
            raise
        return after_refusal(context, answer, error)
    state = _first_state(context, answer, generation, copy)
    return replace(state, overlay=overlay)


def _hurried(options: Options) -> Options:
    """Return the options of a load that has a copy to fall back to: it takes less time."""
    startup, wait = options.startup, options.copy.wait
    if not startup.seconds:
        startup = replace(startup, within=min(startup.within, wait))
    elif wait < startup.seconds:
        startup = replace(startup, seconds=wait, keyword="wait")
    return replace(options, startup=startup)


@plan
def _generation_of(
    context: Context, loaded: Loaded, overlay: Overlay, allowed: Allowed
) -> Steps[Generation]:
    """Build the first generation of what was loaded.

    Raises:
        EngineError: it refers to a snapshot that is missing, or a secret cannot be read.
        Exception: whatever the user's functions raised.
    """
    if loaded.refused is not None:
        raise loaded.refused
    return (yield from first_generation(context, loaded.content, overlay.served, allowed))


def _first_state(
    context: Context, answer: Answered[Loaded], generation: Generation, copy: Copy | None
) -> State:
    if generation.trouble is not None:
        drop_frames(generation.trouble)
    instant = context.now()
    return State(
        generation=generation,
        values=generation.values,
        snapshot=generation.snapshot,
        content=answer.result.content,
        sentinels=answer.result.sentinels,
        endpoints=answer.endpoints,
        timers=first_timers(instant.monotonic, context.options),
        attempt=Attempt(instant, instant, generation.trouble, answer.endpoints.last),
        flags_confirmed=None if answer.result.content.flags is None else instant,
        unread=generation.trouble,
        kept=Kept() if copy is None else copy.kept,
    )
