"""The state of a provider that serves a copy of an earlier run, or nothing yet."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.first_generation import first_generation
from appconfig_provider._azure.generation import Generation
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.listing.watch import UNSEEN
from appconfig_provider._azure.overlay import Overlay
from appconfig_provider._azure.rest.tracing import Usage
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.state import Rejected, State, first_timers
from appconfig_provider._azure.stored.reading import Copy
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._live.standing import Attempt, Instant
from appconfig_provider._plan import Steps, plan
from appconfig_provider.models import Explanation
from appconfig_provider.snapshot import Provenance, make_snapshot
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider")


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the store gave nothing that could be used, and what is known of it."""

    endpoints: Endpoints
    error: Exception | None = field(default=None, repr=False)
    """The public error; None when the store was not asked yet."""
    rejected: Rejected | None = None
    """The content that the store holds and that was refused."""


@plan
def built_of_copy(
    context: Context, copy: Copy, overlay: Overlay, allowed: Allowed
) -> Steps[Generation | UnresolvedReference | None]:
    """Return a generation of a copy; the error of a secret; or None when the copy is refused.

    It passes everything that other generations pass: mapper, secrets, overrides, `validate`.
    """
    content, layers = copy.document.content, overlay.served
    try:
        return (yield from first_generation(context, content, layers, allowed, copy.loaded_at))
    except UnresolvedReference as failure:
        return failure
    except Exception as error:
        logger.warning("the copy in %s is not used: %s", copy.name, describe(error))
        return None


def state_of_copy(
    context: Context, copy: Copy, generation: Generation, overlay: Overlay, outage: Outage
) -> State:
    """Return the state that serves a copy; the store is due at once."""
    now = context.now()
    document = copy.document
    return State(
        generation=generation,
        values=generation.values,
        snapshot=generation.snapshot,
        content=document.content,
        sentinels=document.sentinels,
        endpoints=outage.endpoints,
        timers=replace(
            first_timers(now.monotonic, context.options), heal=_heal_at(context, outage)
        ),
        rejected=outage.rejected,
        attempt=_attempt(now, copy.confirmed_at(now), outage, generation.trouble),
        unread=generation.trouble,
        overlay=overlay,
        kept=copy.kept,
    )


def _attempt(
    now: Instant, confirmed: Instant | None, outage: Outage, trouble: Exception | None = None
) -> Attempt:
    last = None if outage.error is None else now
    return Attempt(last, confirmed, outage.error or trouble)


def _heal_at(context: Context, outage: Outage) -> float:
    """Return when the store is asked: at once, but after an interval when it was just asked.

    Endpoints that failed have a back-off, which counts as well.
    """
    now = context.clock.monotonic()
    return now if outage.rejected is None else now + context.options.refresh.interval


def empty_state(context: Context, overlay: Overlay, outage: Outage) -> State:
    """Return the state of a provider that has neither store nor copy: it has no keys, yet."""
    now = context.now()
    snapshot = make_snapshot(
        {},
        Provenance(0, datetime.fromtimestamp(now.wall, timezone.utc), origin="empty"),
        explain=_explain_nothing,
    )
    generation = Generation(snapshot, {}, {}, {}, {}, frozenset(), Usage())
    selection = context.options.selection
    return State(
        generation=generation,
        values={},
        snapshot=snapshot,
        content=Content(
            ((),) * len(selection.settings),
            flags=None if selection.flags is None else ((),) * len(selection.flags),
        ),
        sentinels=(UNSEEN,) * len(context.options.refresh.watch),
        endpoints=outage.endpoints,
        timers=replace(first_timers(now.monotonic, context.options), heal=now.monotonic),
        attempt=_attempt(now, None, outage),
        overlay=overlay,
    )


def _explain_nothing(key: str) -> Explanation:
    raise KeyError(key)
