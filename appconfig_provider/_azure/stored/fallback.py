"""What is served at start when the store gives nothing that can be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.listing.content import Loaded
from appconfig_provider._azure.overlay import Overlay
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.state import Rejected, State
from appconfig_provider._azure.stored.reading import Copy
from appconfig_provider._azure.stored.serving import (
    Outage,
    built_of_copy,
    empty_state,
    state_of_copy,
)
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.first_answer import Answered
from appconfig_provider._plan import Steps, plan
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider")

COPY_TIME = 5.0
"""Seconds in which a copy may read its secrets and be validated, where the store has used up the
time of `load()`. Without them an outage would refuse the copy that is there for it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why the store gave nothing that can be used, and what is known of it."""

    error: Exception = field(repr=False)
    """What `load()` raises when nothing else can be served."""
    outage: Outage


def after_outage(context: Context, failure: NobodyAnswered) -> Failed:
    """Return why nobody gave a usable answer.

    The rounds of a start come seconds apart. They count as one failure of an endpoint, so that the
    first refresh does not have to wait for minutes.
    """
    endpoints, now = failure.endpoints, context.clock.monotonic()
    for one in failure.failures:
        endpoint = endpoints.by_url(one.origin)
        backoff = Backoff().after_failure(
            now,
            interval=context.options.refresh.interval,
            jitter=context.random(),
            at_least=one.retry_after or 0.0,
        )
        endpoints = endpoints.replaced(replace(endpoint, backoff=backoff))
    return Failed(failure, Outage(endpoints, public(failure)))


def after_refusal(context: Context, answer: Answered[Loaded], error: Exception) -> Failed:
    """Return why the content of the store was refused; it is remembered, like in a refresh."""
    backoff = Backoff().after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=context.random(),
    )
    loaded, shown = answer.result, public(error)
    rejected = Rejected(loaded.sentinels, loaded.content, backoff, shown)
    return Failed(error, Outage(answer.endpoints, shown, rejected))


@plan
def without_store(
    context: Context, copy: Copy | None, overlay: Overlay, failed: Failed, began: float
) -> Steps[State]:
    """Return the state that serves the copy; without one an empty one, if the program wants that.

    Raises:
        UnresolvedReference: the copy needs a secret that cannot be read.
        Exception: the error of the store; there is no copy, or it is refused.
    """
    if copy is not None:
        until = max(began + context.options.load_budget, context.clock.monotonic() + COPY_TIME)
        built = yield from built_of_copy(
            context, copy, overlay, Allowed(until, "the time of the copy")
        )
        if isinstance(built, UnresolvedReference):
            raise _lacking_secret(built, copy, failed)
        if built is not None:
            state = state_of_copy(context, copy, built, overlay, failed.outage)
            _warn(context, copy, failed)
            return state
    if context.options.copy.optional and failed.outage.rejected is None:
        logger.warning("%s; the configuration is empty until it is back", describe(failed.error))
        return empty_state(context, overlay, failed.outage)
    raise failed.error


def _warn(context: Context, copy: Copy, failed: Failed) -> None:
    age = "at an unknown time"
    if copy.confirmed is not None:
        age = f"{max(0.0, context.clock.time() - copy.confirmed):.0f} s ago"
    logger.warning(
        "the store gave nothing that can be used (%s); the copy in %s is served, which it "
        "confirmed %s",
        describe(failed.error),
        copy.name,
        age,
    )


def _lacking_secret(
    failure: UnresolvedReference, copy: Copy, failed: Failed
) -> UnresolvedReference:
    """Return the error of a secret without which a good copy cannot be served."""
    why = (
        f"{failure.why}; the store gave nothing that can be used ({describe(failed.error)}), and "
        f"the copy in {copy.name} is good but for this secret: secret_policy='omit' leaves it out"
    )
    whole = UnresolvedReference(failure.setting, why, failure.secret_id)
    whole.original = failure.original
    return whole
