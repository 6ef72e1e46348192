"""Reading the copy of an earlier run, and deciding whether it may be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.listing.content import Known
from appconfig_provider._azure.state import Kept
from appconfig_provider._azure.stored.document import Document, from_text
from appconfig_provider._azure.stored.identity import identity_of
from appconfig_provider._live.standing import Instant
from appconfig_provider._plan import ReadStored, Steps, perform, plan
from appconfig_provider.caches.envelope import CopyRefused
from appconfig_provider.protocols import Cache, Stored
from appconfig_provider.texts import printable
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of an earlier run that may be used."""

    name: str
    """Of the cache, for log lines."""
    document: Document
    digest: str
    loaded: float
    """Seconds since 1970."""
    confirmed: float | None
    """Seconds since 1970; None when it is not known."""

    @property
    def loaded_at(self) -> datetime:
        """When the content was loaded (UTC)."""
        return datetime.fromtimestamp(self.loaded, timezone.utc)

    @property
    def kept(self) -> Kept:
        """What the cache holds."""
        _, content, sentinels = self.document
        confirmed = -1.0 if self.confirmed is None else self.confirmed
        return Kept(content, sentinels, self.digest, self.loaded, confirmed)

    def known(self, context: Context) -> Known:
        """Return what need not be read again unless it has changed."""
        trusted = context.options.copy.sentinels_only
        return Known(self.document.content, self.document.sentinels, trusted)

    def confirmed_at(self, now: Instant) -> Instant | None:
        """Return when the store confirmed it last; never later than `now`."""
        if self.confirmed is None:
            return None
        ago = max(0.0, now.wall - self.confirmed)
        return Instant(now.monotonic - ago, min(self.confirmed, now.wall), now.boottime - ago)


@plan
def read_copy(context: Context) -> Steps[Copy | None]:
    """Return the copy of an earlier run; None when there is none that may be used.

    One that may not be used is logged, and is never half used.
    """
    cache = context.options.copy.cache
    if cache is None:
        return None
    try:
        stored = yield from perform(ReadStored(cache, context.clock.time()))
        return None if stored is None else _checked(context, cache, stored)
    except Exception as error:
        logger.warning("the copy in %s is not used: %s", printable(cache.name), why(error))
        return None


def why(error: Exception) -> str:
    """Return what a log line says of an error of a cache."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__} ({printable(error.strerror)})"
    return describe(error)


def _checked(context: Context, cache: Cache, stored: Stored) -> Copy:
    """Return a copy that may be used.

    Raises:
        CopyRefused: it is too old, of another store, or made with other selectors.
    """
    max_age, name = context.options.copy.max_age, printable(cache.name)
    if stored.confirmed is None:
        if max_age is not None:
            raise CopyRefused("it is not known when the store confirmed it, and max_age was given")
        logger.warning("it is not known when the store confirmed the copy in %s", name)
    elif max_age is not None and context.clock.time() - stored.confirmed > max_age:
        raise CopyRefused(f"the store has not confirmed it for more than max_age={max_age:g} s")
    document = from_text(stored.text)
    if not document.identity.fits(identity_of(context.options)):
        raise CopyRefused(
            "it is of another store, or was made with other selectors or watched keys"
        )
    return Copy(name, document, stored.digest, stored.loaded, stored.confirmed)
