"""When secrets are read again, and which of them are owed.

A reload of settings reads every secret without a version again: at once when a sentinel moved or
the program forces it, under watched pages once the secret is a minute old. A secret that should
have been read and was not (its minute is not over, its vault fails, or the generation was rejected)
is *owed*: `Secret.due` says when it must be read. That is part of the state, so it survives
failover and fork, and only a successful read clears it. A secret that fails has a back-off of its
own; while it lasts, `secret_refresh_interval` reads only the other secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from appconfig_provider._azure.context import Context, Secret
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.settings.layering import Problem
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.budget import Allowed

SECRET_MIN_AGE = 60.0
"""Seconds for which a reload under watched pages does not read a secret again. Without this each
change of any page would read all secrets, and vaults limit the number of requests."""

Secrets = Mapping[str, Secret]
"""Secrets by their addresses."""


class Reading(Enum):
    """Which secrets are read again."""

    EVERY = "every secret without a version"
    HEALTHY = "every secret without a version whose last read did not fail"
    AGED = "those without a version that were read a minute ago or earlier"
    OWED = "only what is owed"


@dataclass(slots=True)
class ReadResults:
    """The result for each secret that was read during one refresh; none is read twice in it."""

    found: dict[str, Secret] = field(default_factory=dict)
    failed: dict[str, UnresolvedReference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reads:
    """How secrets are read for one generation."""

    allowed: Allowed
    policy: SecretPolicy
    reading: Reading
    results: ReadResults = field(default_factory=ReadResults)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The values of references by key, and every secret that a reference points to."""

    values: Mapping[str, str] = field(repr=False)
    secrets: Secrets
    problems: tuple[Problem, ...] = ()
    left_out: frozenset[str] = frozenset()
    trouble: UnresolvedReference | None = None
    """Why a secret could not be read, though the policy had an answer for that (the first one)."""


def is_wanted(secret: Secret | None, reading: Reading, now: float) -> bool:
    """Tell whether a secret is to be read now; None is a secret that was never read."""
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


def skipped(secret: Secret, reading: Reading) -> Secret:
    """Return a secret that was not read; one that is too young is owed when its minute is over."""
    if reading is not Reading.AGED or secret.fixed:
        return secret
    return replace(secret, due=min(secret.due, secret.read_at + SECRET_MIN_AGE))


def after_failed_read(
    context: Context, secret: Secret, failure: UnresolvedReference | None, jitter: float
) -> Secret:
    """Return a secret after a read that failed: it is owed, and its back-off is longer."""
    backoff = secret.backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=jitter,
        at_least=(failure.retry_after if failure else None) or 0.0,
    )
    trouble = failure.why if failure else secret.trouble
    return replace(secret, due=backoff.until, backoff=backoff, trouble=trouble)


def still_owed(context: Context, secrets: Secrets, reads: Reads) -> dict[str, Secret]:
    """Return the secrets that are served, after their newer values were read but not published."""
    now, jitter = context.clock.monotonic(), context.random()
    return {
        url: after_failed_read(context, secret, reads.results.failed.get(url), jitter)
        if is_wanted(secret, reads.reading, now)
        else skipped(secret, reads.reading)
        for url, secret in secrets.items()
    }
