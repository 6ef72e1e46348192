"""The endpoints of a store: those that were given, and the replicas that DNS names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from appconfig_provider._azure.options import Options
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider.models import Store

MAX_DISCOVERED = 16
"""How many replicas of DNS are used. Each one shortens the share of time that an endpoint gets."""


def first_endpoints(options: Options) -> Endpoints:
    """Return the endpoints that were given."""
    given = tuple(Endpoint(store) for store in options.store.endpoints)
    looks_up = options.store.discovers and trusted_domain(host_of_endpoint(given[0]))
    return Endpoints(given, Backoff() if looks_up else Backoff(until=math.inf))


def with_replicas(
    endpoints: Endpoints, names: Iterable[str], until: float, random: Callable[[], float]
) -> Endpoints:
    """Return the given endpoints, and the replicas of these host names after them.

    Replicas that were discovered before and are not named any more are dropped. The order of the
    replicas is random, so that not all clients go to the same one when the store fails.
    """
    given = [endpoint for endpoint in endpoints.all if not endpoint.discovered]
    known = {endpoint.store.url: endpoint for endpoint in endpoints.all}
    given_hosts = {host_of_endpoint(endpoint) for endpoint in given}
    key = given[0].store.access_key
    urls = [f"https://{name}" for name in dict.fromkeys(names) if name not in given_hosts]
    found = [
        known.get(url, Endpoint(Store(url, key), discovered=True)) for url in urls[:MAX_DISCOVERED]
    ]
    found.sort(key=lambda _: random())
    return replace(endpoints, all=(*given, *found), discovery=Backoff(0, until))


def host_of_endpoint(endpoint: Endpoint) -> str:
    """Return the host name of an endpoint, in lower case and without a dot at its end."""
    return (urlsplit(endpoint.store.url).hostname or "").rstrip(".")


def trusted_domain(host: str) -> str:
    """Return the domain that replicas of a host must be in; empty if the host is not in Azure.

    It is what follows the store's name, such as `.azconfig.io`. Names outside of it are not used:
    a forged DNS answer must not send credentials to another host.
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
