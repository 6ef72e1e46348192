"""Writing the copy for the next run: after each load, and after each confirmation."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.state import Kept, State
from appconfig_provider._azure.stored.document import Document, to_text
from appconfig_provider._azure.stored.identity import identity_of
from appconfig_provider._azure.stored.reading import why
from appconfig_provider._plan import Steps, WriteStored, perform, plan
from appconfig_provider.protocols import Cache
from appconfig_provider.texts import printable
from appconfig_provider.trouble import drop_frames

logger = logging.getLogger("appconfig_provider")


def is_to_be_kept(context: Context, state: State) -> bool:
    """Tell whether the cache lacks the content that is served, or its newest confirmation."""
    success = state.attempt.success
    if context.options.copy.cache is None or state.snapshot.stale or success is None:
        return False
    return success.wall != state.kept.confirmed or not _is_kept(state)


@plan
def keep(context: Context, state: State) -> Steps[State]:
    """Write the content that is served, or only the time of its confirmation; return the state.

    A cache that cannot be written is logged once, until it can be again; refreshing goes on.
    """
    cache, success = context.options.copy.cache, state.attempt.success
    if cache is None or success is None:
        raise AssertionError("called only when there is something to keep")
    document = Document(identity_of(context.options), state.content, state.sentinels)
    kept = state.kept
    if not _is_kept(state):
        loaded = state.snapshot.loaded_at.timestamp()
        kept = Kept(state.content, state.sentinels, "", loaded, error=kept.error)
    try:
        digest = yield from perform(
            WriteStored(cache, partial(to_text, document), kept.loaded, success.wall, kept.digest)
        )
    except Exception as error:
        return replace(state, kept=_failed(cache, replace(kept, confirmed=success.wall), error))
    if kept.error is not None:
        logger.info("the cache %s can be written again", printable(cache.name))
    return replace(state, kept=replace(kept, digest=digest, confirmed=success.wall, error=None))


def _is_kept(state: State) -> bool:
    """Tell whether the content that is served is that which the cache holds."""
    kept = state.kept
    return kept.content == state.content and kept.sentinels == state.sentinels


def _failed(cache: Cache, kept: Kept, error: Exception) -> Kept:
    """Return the record after a write that failed, and log the first one."""
    if kept.error is None:
        logger.warning("the cache %s cannot be written: %s", printable(cache.name), why(error))
    shown = public(error)
    drop_frames(shown)
    return replace(kept, error=shown)
