"""When secrets are read again, and which of them are owed.

A reload of settings reads every secret without a version again: at once when a sentinel moved or
the program forces it, under watched pages once the secret is a minute old. A secret that should
have been read and was not (its minute is not over, its vault is in trouble, the generation was
refused) is *owed*. The debt lies with the secret itself, so it lives as long as the state does, and
only a read that succeeds pays it. While it fails it has its back-off, and `secret_refresh_interval`
asks for the others alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from appconfig_provider._azure.context import Context, Secret
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.budget import Allowed

SECRET_MIN_AGE = 60.0
"""Seconds for which a reload under watched pages trusts a secret that was just read."""

Secrets = Mapping[str, Secret]
"""Secrets by their addresses."""


class Reading(Enum):
    """Which secrets are read again."""

    EVERY = "every secret without a version"
    HEALTHY = "every secret without a version whose last read did not fail"
    AGED = "those without a version that were read a minute ago or earlier"
    OWED = "only what is owed"


@dataclass(slots=True)
class Asked:
    """What was said of each secret during one refresh, in which none is asked for twice."""

    found: dict[str, Secret] = field(default_factory=dict)
    failed: dict[str, UnresolvedReference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reads:
    """How secrets are read for one generation."""

    allowed: Allowed
    policy: SecretPolicy
    reading: Reading
    asked: Asked = field(default_factory=Asked)


def is_wanted(secret: Secret | None, reading: Reading, now: float) -> bool:
    """Tell whether a secret is to be read now; None is one that nothing is known of."""
    if secret is None or secret.due <= now:
        return True
    if secret.fixed and secret.value is not None:
        return False
    if reading is Reading.HEALTHY:
        return not secret.backoff.failures
    aged = reading is Reading.AGED and now - secret.read_at >= SECRET_MIN_AGE
    return aged or reading is Reading.EVERY


def anything_wanted(secrets: Secrets, reading: Reading, now: float) -> bool:
    """Tell whether any of these secrets is to be read now."""
    return any(is_wanted(secret, reading, now) for secret in secrets.values())


def spared(secret: Secret, reading: Reading) -> Secret:
    """Return a secret that was not asked for; a young one is owed from its minute on."""
    if reading is not Reading.AGED or secret.fixed:
        return secret
    return replace(secret, due=min(secret.due, secret.read_at + SECRET_MIN_AGE))


def put_off(
    context: Context, secret: Secret, failure: UnresolvedReference | None, jitter: float
) -> Secret:
    """Return a secret that is owed after an attempt that failed, with its longer back-off."""
    longer = secret.backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=jitter,
        at_least=(failure.retry_after if failure else None) or 0.0,
    )
    trouble = failure.why if failure else secret.trouble
    return replace(secret, due=longer.until, backoff=longer, trouble=trouble)


def owing(context: Context, secrets: Secrets, reads: Reads) -> dict[str, Secret]:
    """Return the secrets being served after their newer values were not published."""
    now, jitter = context.clock.monotonic(), context.random()
    return {
        url: put_off(context, secret, reads.asked.failed.get(url), jitter)
        if is_wanted(secret, reads.reading, now)
        else spared(secret, reads.reading)
        for url, secret in secrets.items()
    }
