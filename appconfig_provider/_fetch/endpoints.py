"""The endpoints of one store: what is known of each, and in which order they are tried.

Endpoints that were given come first, in their order; those that were discovered follow. Each has
its own back-off and its own memory (sync tokens), since those of one replica mean nothing to
another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider.models import Store


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a store, and what earlier attempts have taught about it."""

    store: Store
    backoff: Backoff = FREE
    memory: Mapping[str, object] = field(default_factory=dict, repr=False)
    """What its source keeps from one attempt to the next (for App Configuration: sync tokens)."""
    round_trip: float = math.inf
    """Seconds that the quickest answer of the last attempt took; infinite when not known."""
    discovered: bool = False
    """True for a replica that DNS named; False for an endpoint that was given."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints that serve the same content."""

    all: tuple[Endpoint, ...]
    discovery: Backoff = FREE
    """When DNS may be asked for more endpoints; `until` is infinite where it is never asked."""
    last: str = ""
    """The endpoint that answered last."""
    outage: bool = False
    """True since a round in which no endpoint gave a usable answer."""

    @property
    def free_at(self) -> float:
        """When the first back-off ends, on the monotonic clock: then some endpoint may be tried."""
        return min([endpoint.backoff.until for endpoint in self.all])  # quicker than a generator

    def candidates(self, now: float, *, balanced: bool) -> list[Endpoint]:
        """Return the endpoints that may be tried now, in order.

        `balanced` starts with the one after that which answered last, so that they take turns.
        """
        urls = [endpoint.store.url for endpoint in self.all]
        first = urls.index(self.last) + 1 if balanced and self.last in urls else 0
        order = self.all[first:] + self.all[:first]
        return [endpoint for endpoint in order if endpoint.backoff.until <= now]

    def by_url(self, url: str) -> Endpoint:
        """Return a known endpoint by its address."""
        return next(endpoint for endpoint in self.all if endpoint.store.url == url)

    def replaced(self, changed: Endpoint, *, last: str | None = None) -> Endpoints:
        """Return the endpoints with `changed` in the place of the one with the same address.

        `last` is given when that one has answered, which also ends an outage.
        """
        url = changed.store.url
        # Called in every refresh: a tuple of a list is made faster than one of a generator, and the
        # constructor runs faster than `replace`.
        endpoints = tuple([changed if one.store.url == url else one for one in self.all])
        if last is None:
            return replace(self, all=endpoints)
        return Endpoints(endpoints, self.discovery, last, outage=False)


def endpoints_of(*urls: str) -> Endpoints:
    """Return endpoints that need no access key; no more of them are ever looked up."""
    return Endpoints(tuple([Endpoint(Store(url)) for url in urls]), Backoff(until=math.inf))
