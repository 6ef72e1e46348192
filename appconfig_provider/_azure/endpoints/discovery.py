"""Asking DNS for the replicas of a store.

DNS is never in anybody's way: it is asked only when no known endpoint is left to try, or at start
when load is to be spread; it gets five seconds in all, its answer is kept for an hour, and when it
fails there are simply no more replicas for now.
"""

from __future__ import annotations

import logging
from itertools import count

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.order import (
    MAX_DISCOVERED,
    host_of_endpoint,
    in_domain,
    naming,
    trusted_domain,
)
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._plan import ResolveSrv, Steps, perform, plan
from appconfig_provider.texts import printable

logger = logging.getLogger("appconfig_provider")

BUDGET = 5.0
"""Seconds for all look-ups together."""
CACHE_TTL = 3600.0
"""Seconds for which an answer is believed."""


@plan
def discover(context: Context, endpoints: Endpoints, deadline: float) -> Steps[Endpoints]:
    """Return the endpoints with the replicas that DNS names; as they are when DNS does not answer.

    An answer that names none is kept as long as any other; a failure is tried again after a
    back-off, because DNS tends to fail when the network does, which is when replicas count.
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
    return naming(endpoints, names, now + CACHE_TTL, context.random)


@plan
def _names(host: str, deadline: float) -> Steps[list[str]]:
    """Return the hosts that belong to a host's store: the first of all, then its replicas."""
    domain = trusted_domain(host)
    origins = _believed((yield from perform(ResolveSrv(f"_origin._tcp.{host}", deadline))), domain)
    found = origins[:1]
    if not found:
        return []
    for number in count():
        asked = ResolveSrv(f"_alt{number}._tcp.{found[0]}", deadline)
        targets = yield from perform(asked)
        found += _believed(targets, domain)
        if not targets or number >= MAX_DISCOVERED or len(found) > MAX_DISCOVERED:
            return found
    raise AssertionError("the loop ends by returning")


def _believed(targets: tuple[str, ...], domain: str) -> list[str]:
    return [name for name in map(str.lower, targets) if in_domain(name, domain)]
