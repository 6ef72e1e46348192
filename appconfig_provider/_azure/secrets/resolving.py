"""Following Key Vault references: from the settings that point to secrets to values.

Secrets are kept in the state by secret id. So each is read once for all keys that point to it, and
a rotated value reaches all of them in one generation. `rotation` decides which secrets are read
again and `vault` reads them; this module applies the policy to keys whose secret was not read.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from appconfig_provider._azure.context import Context, Secret
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.secrets.rotation import (
    Reads,
    Resolved,
    Secrets,
    after_failed_read,
    is_wanted,
    skipped,
)
from appconfig_provider._azure.secrets.vault import read_secrets
from appconfig_provider._azure.settings.layering import Problem, problem
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.settings.references import UnresolvedReference, secret_of
from appconfig_provider._azure.vaults import SecretIdentifier
from appconfig_provider._plan import Steps, plan

_UNCONFIGURED = (
    "nothing was given to resolve it with; pass keyvault_credential, keyvault_client_configs or "
    "secret_resolver to load()"
)


@dataclass(frozen=True, slots=True)
class _References:
    """The references of a generation: the setting and the secret of each key."""

    settings: Mapping[str, Setting]
    secrets: Mapping[str, SecretIdentifier]
    malformed: Mapping[str, UnresolvedReference]
    """By key: what is wrong with a reference that names no secret."""


@plan
def resolve(
    context: Context, settings: Mapping[str, Setting], previous: Secrets, reads: Reads
) -> Steps[Resolved]:
    """Return the value of each reference, reading the secrets that are to be read now.

    Raises:
        UnresolvedReference: a secret could not be read, and the policy has no other answer.
    """
    vaults = context.options.secrets.vaults
    lenient = vaults.resolver is not None and not vaults.credential and not vaults.credentials
    references = _identified(settings, lenient=lenient)
    if references.malformed and reads.policy is not SecretPolicy.OMIT:
        raise next(iter(references.malformed.values()))
    now, results = context.clock.monotonic(), reads.results
    queue = {
        secret.url: (secret, settings[key])
        for key, secret in references.secrets.items()
        if secret.url not in results.found
        and secret.url not in results.failed
        and is_wanted(previous.get(secret.url), reads.reading, now)
    }
    if queue and not vaults.configured:
        raise UnresolvedReference(next(iter(settings.values())), _UNCONFIGURED)
    yield from read_secrets(context, deque(queue.values()), previous, reads.allowed, results)
    return _by_policy(references, _afterwards(context, references, previous, reads), reads)


def _identified(settings: Mapping[str, Setting], *, lenient: bool) -> _References:
    """Parse the references."""
    secrets: dict[str, SecretIdentifier] = {}
    malformed: dict[str, UnresolvedReference] = {}
    for key, setting in settings.items():
        try:
            secrets[key] = secret_of(setting, lenient=lenient)
        except UnresolvedReference as failure:
            malformed[key] = failure
    return _References(settings, secrets, malformed)


def _afterwards(
    context: Context, references: _References, previous: Secrets, reads: Reads
) -> dict[str, Secret]:
    """Return the secrets that references point to, each with its value and when it is owed."""
    jitter = context.random() if reads.results.failed else 0.0
    known: dict[str, Secret] = {}
    for secret in references.secrets.values():
        url = secret.url
        if url in known:
            continue
        if url in reads.results.found:
            known[url] = reads.results.found[url]
        elif url in reads.results.failed:
            before = previous.get(url) or Secret(None, -math.inf, secret.version is not None)
            known[url] = after_failed_read(context, before, reads.results.failed[url], jitter)
        else:
            known[url] = skipped(previous[url], reads.reading)
    return known


def _by_policy(references: _References, secrets: Secrets, reads: Reads) -> Resolved:
    values: dict[str, str] = {}
    failures: dict[str, UnresolvedReference] = dict(references.malformed)
    left_out = set(references.malformed)
    troubles: list[UnresolvedReference] = []
    for key, identifier in references.secrets.items():
        url = identifier.url
        secret, failure = secrets[url], reads.results.failed.get(url)
        if failure is not None:
            troubles.append(failure)
        if secret.trouble:
            failures[key] = UnresolvedReference(
                references.settings[key], secret.trouble, identifier.shown
            )
        if secret.trouble and reads.policy is SecretPolicy.OMIT:
            left_out.add(key)
        elif secret.value is None or (failure is not None and reads.policy is SecretPolicy.RAISE):
            raise failure or failures[key]
        else:
            values[key] = secret.value
    problems = [
        _problem(references.settings[key], one, key in left_out) for key, one in failures.items()
    ]
    trouble = troubles[0] if troubles else None
    return Resolved(values, secrets, tuple(problems), frozenset(left_out), trouble)


def _problem(setting: Setting, failure: UnresolvedReference, left_out: bool) -> Problem:
    what = "is left out" if left_out else "keeps its last value"
    return problem(setting, f"{what}: {failure}")
