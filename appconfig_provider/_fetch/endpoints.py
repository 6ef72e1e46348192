"""The endpoints of one server: how each has been behaving, and who is asked next.

Endpoints that were given come first, in their order; those that were discovered follow. Each has
its own back-off and its own memory, since what one replica said means nothing to another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider.models import Store


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a server, how it has been behaving, and what it told."""

    store: Store
    backoff: Backoff = FREE
    memory: Mapping[str, object] = field(default_factory=dict, repr=False)
    """What it told that its service wants to know at the next attempt."""
    round_trip: float = math.inf
    """Seconds that the quickest answer of the last attempt took."""
    discovered: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints that serve the same content."""

    all: tuple[Endpoint, ...]
    discovery: Backoff = FREE
    """When DNS may be asked for more; for ever closed where it has nothing to say."""
    last: str = ""
    """The endpoint that answered last."""
    outage: bool = False
    """True since a round in which no endpoint gave a usable answer."""

    @property
    def free_at(self) -> float:
        """When the first endpoint may be asked, on the monotonic clock."""
        return min(endpoint.backoff.until for endpoint in self.all)

    def candidates(self, now: float, *, balanced: bool) -> list[Endpoint]:
        """Return the endpoints that may be asked, in order; `balanced`: after the one used last."""
        urls = [endpoint.store.url for endpoint in self.all]
        first = urls.index(self.last) + 1 if balanced and self.last in urls else 0
        order = self.all[first:] + self.all[:first]
        return [endpoint for endpoint in order if endpoint.backoff.until <= now]

    def of(self, url: str) -> Endpoint:
        """Return a known endpoint by its address."""
        return next(endpoint for endpoint in self.all if endpoint.store.url == url)

    def having(self, changed: Endpoint, *, last: str | None = None) -> Endpoints:
        """Return the endpoints with an endpoint as it is now, and who answered last."""
        url = changed.store.url
        changed_ones = tuple([changed if one.store.url == url else one for one in self.all])
        if last is None:
            return replace(self, all=changed_ones)
        return Endpoints(changed_ones, self.discovery, last)


def endpoints_of(*urls: str) -> Endpoints:
    """Return endpoints without keys, and none to look up."""
    return Endpoints(tuple([Endpoint(Store(url)) for url in urls]), Backoff(until=math.inf))
