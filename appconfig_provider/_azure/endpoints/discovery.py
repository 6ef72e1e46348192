"""Looking up the replicas of a store in DNS.

A look-up must not slow down a healthy store. So it is done only when every known endpoint has
failed, or at start when load balancing is on. It has five seconds in all, its answer is used for an
hour, and if it fails, the known endpoints are all there are for now.
"""

from __future__ import annotations

import logging
from itertools import count

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.order import (
    MAX_DISCOVERED,
    host_of_endpoint,
    in_domain,
    trusted_domain,
    with_replicas,
)
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._plan import ResolveSrv, Steps, perform, plan
from appconfig_provider.texts import printable

logger = logging.getLogger("appconfig_provider")

BUDGET = 5.0
"""Seconds for all look-ups together."""
CACHE_TTL = 3600.0
"""Seconds for which an answer is used."""


@plan
def discover(context: Context, endpoints: Endpoints, deadline: float) -> Steps[Endpoints]:
    """Return the endpoints with the replicas that DNS names; unchanged if DNS does not answer.

    An answer without replicas is used for an hour like any other. A failure is tried again after a
    back-off, which is shorter: DNS often fails together with the network, when replicas are needed.
    """
    now = context.clock.monotonic()
    try:
        names = yield from _names(host_of_endpoint(endpoints.all[0]), min(deadline, now + BUDGET))
    except Exception as error:  # whatever a resolver raises, the stores that are known remain
        logger.warning("replicas of the store could not be looked up: %s", printable(error))
        backoff = endpoints.discovery.after_failure(
            context.clock.monotonic(),
            interval=context.options.refresh.interval,
            jitter=context.random(),
        )
        return Endpoints(endpoints.all, backoff, endpoints.last)
    return with_replicas(endpoints, names, now + CACHE_TTL, context.random)


@plan
def _names(host: str, deadline: float) -> Steps[list[str]]:
    """Return the hosts of the store that a host belongs to: the original one, then replicas."""
    domain = trusted_domain(host)
    origins = _trusted((yield from perform(ResolveSrv(f"_origin._tcp.{host}", deadline))), domain)
    found = origins[:1]
    if not found:
        return []
    for number in count():
        look_up = ResolveSrv(f"_alt{number}._tcp.{found[0]}", deadline)
        targets = yield from perform(look_up)
        found += _trusted(targets, domain)
        if not targets or number >= MAX_DISCOVERED or len(found) > MAX_DISCOVERED:
            return found
    raise AssertionError("the loop ends by returning")


def _trusted(targets: tuple[str, ...], domain: str) -> list[str]:
    return [name for name in map(str.lower, targets) if in_domain(name, domain)]
