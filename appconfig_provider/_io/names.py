"""SRV look-ups, by dnspython (the extra `dns`).

Both resolvers are dnspython's default ones, so a program that has set its own has it used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appconfig_provider._plan import ResolveSrv
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from dns.resolver import Answer


class LookUpFailed(Exception):
    """DNS gave no answer, or could not be asked."""


def look_up(effect: ResolveSrv, clock: Clock) -> tuple[str, ...]:
    """Return the targets of a name's SRV records, blocking until the effect's deadline at most."""
    with _with_deadline(effect, clock) as lifetime:
        from dns import resolver

        answer = resolver.get_default_resolver().resolve(
            effect.name + ".", "SRV", lifetime=lifetime
        )
        return _targets(answer)
    return ()


async def look_up_async(effect: ResolveSrv, clock: Clock) -> tuple[str, ...]:
    """Do the same without blocking the loop."""
    with _with_deadline(effect, clock) as lifetime:
        from dns import asyncresolver

        resolve = asyncresolver.get_default_resolver().resolve
        return _targets(await resolve(effect.name + ".", "SRV", lifetime=lifetime))
    return ()


@contextmanager
def _with_deadline(effect: ResolveSrv, clock: Clock) -> Iterator[float]:
    """Yield the seconds that are left; a name without records ends the block without an error.

    Raises:
        LookUpFailed: any other error of DNS, no time left, or dnspython is not installed.
    """
    left = effect.deadline - clock.monotonic()
    if left <= 0:
        raise LookUpFailed(f"{effect.name}: the time allowed is used up")
    try:
        from dns import exception, resolver
    except ImportError as error:
        raise LookUpFailed(
            'dnspython is not installed; pip install "appconfig-provider[dns]", name '
            "replicas=[...] or pass replica_discovery_enabled=False"
        ) from error
    try:
        yield left
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return
    except exception.DNSException as error:
        raise LookUpFailed(f"{effect.name}: {error}") from error


def _targets(answer: Answer) -> tuple[str, ...]:
    return tuple(record.target.to_text(omit_final_dot=True) for record in answer)
