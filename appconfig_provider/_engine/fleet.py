"""The endpoints of a store: how each has been behaving, and who is asked next.

Endpoints that were given come first, in their order; those that DNS names follow. Each has its own
back-off and its own sync tokens, since a token says what one replica has seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from appconfig_provider._rest.backoff import FREE, Backoff
from appconfig_provider._rest.sync_tokens import SyncToken
from appconfig_provider.models import Store
from appconfig_provider.options import Options

MOST_DISCOVERED = 16
"""Names of DNS that are believed; each one more would shorten the time every endpoint gets."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A store, how it has been behaving, and the sync tokens it gave."""

    store: Store
    backoff: Backoff = FREE
    tokens: Mapping[str, SyncToken] = field(default_factory=dict, repr=False)
    round_trip: float = math.inf
    """Seconds that the quickest answer of the last attempt took."""
    discovered: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The endpoints of one store."""

    endpoints: tuple[Endpoint, ...]
    discovery: Backoff = FREE
    """When DNS may be asked for more; for ever closed where it has nothing to say."""
    last: str = ""
    """The endpoint that answered last."""
    outage: bool = False
    """True since a round in which no endpoint gave a usable answer."""

    @property
    def free_at(self) -> float:
        """When the first endpoint may be asked, on the monotonic clock."""
        return min(endpoint.backoff.until for endpoint in self.endpoints)

    def in_turn(self, now: float, *, balanced: bool) -> list[Endpoint]:
        """Return the endpoints that may be asked, in order; `balanced`: after the one used last."""
        urls = [endpoint.store.url for endpoint in self.endpoints]
        first = urls.index(self.last) + 1 if balanced and self.last in urls else 0
        order = self.endpoints[first:] + self.endpoints[:first]
        return [endpoint for endpoint in order if endpoint.backoff.until <= now]

    def of(self, url: str) -> Endpoint:
        """Return a known endpoint by its address."""
        return next(endpoint for endpoint in self.endpoints if endpoint.store.url == url)

    def having(self, changed: Endpoint, *, last: str | None = None) -> Fleet:
        """Return the fleet with an endpoint as it is now, and who answered last."""
        url = changed.store.url
        endpoints = tuple([changed if one.store.url == url else one for one in self.endpoints])
        if last is None:
            return replace(self, endpoints=endpoints)
        return Fleet(endpoints, self.discovery, last)

    def naming(self, names: Iterable[str], until: float, random: Callable[[], float]) -> Fleet:
        """Return the fleet with the replicas of these host names, and no other discovered ones.

        They come in random order, so that the clients of a store that fails spread over them.
        """
        given = [endpoint for endpoint in self.endpoints if not endpoint.discovered]
        known = {endpoint.store.url: endpoint for endpoint in self.endpoints}
        taken = {host_of_endpoint(endpoint) for endpoint in given}
        key = given[0].store.access_key
        urls = [f"https://{name}" for name in dict.fromkeys(names) if name not in taken]
        found = [
            known.get(url, Endpoint(Store(url, key), discovered=True))
            for url in urls[:MOST_DISCOVERED]
        ]
        found.sort(key=lambda _: random())
        return replace(self, endpoints=(*given, *found), discovery=Backoff(0, until))


def first_fleet(options: Options) -> Fleet:
    """Return the endpoints that were given."""
    endpoints = tuple(Endpoint(store) for store in options.store.endpoints)
    asks = options.store.discovers and trusted_domain(host_of_endpoint(endpoints[0]))
    return Fleet(endpoints, Backoff() if asks else Backoff(until=math.inf))


def host_of_endpoint(endpoint: Endpoint) -> str:
    """Return the host name of an endpoint, in lower case and without a dot at its end."""
    return (urlsplit(endpoint.store.url).hostname or "").rstrip(".")


def trusted_domain(host: str) -> str:
    """Return the domain that replicas of a host must be in; empty where there are none to find.

    Replicas share what follows the store's name, as in `.azconfig.io`. Whoever answers for DNS
    must not be able to send credentials elsewhere.
    """
    for label in (".appconfig.", ".azconfig."):
        place = host.rfind(label)
        if place > 0:
            return host[place:]
    return ""


_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def in_domain(name: str, domain: str) -> bool:
    """Tell whether a name is a host inside a domain."""
    return name.endswith(domain) and _NAME.fullmatch(name) is not None
