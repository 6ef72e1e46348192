"""Following Key Vault references: each distinct secret once, at most sixteen at a time.

What was read stays in the state by secret id, so one secret serves every key that points to it,
and a rotation reaches all of them in one generation. A secret with a version never changes; one
without is read again by a rotation, and by a reload once it is a minute old.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from appconfig_provider._engine.context import Context, Secret
from appconfig_provider._engine.failover import PATIENCE
from appconfig_provider._plan import (
    AcquireToken,
    Invoke,
    Request,
    Signer,
    Steps,
    ask,
    plan,
    together,
)
from appconfig_provider._rest.exchange import Session, exchange
from appconfig_provider._rest.failures import RequestFailed, refused
from appconfig_provider._rest.requests import secret_target
from appconfig_provider._rest.responses import Malformed, Setting, read_object
from appconfig_provider._rest.signing import token_signer
from appconfig_provider._settings.layering import Problem, problem
from appconfig_provider._settings.references import UnresolvedReference, secret_of
from appconfig_provider.vaults import SecretIdentifier

LANES = 16
FRESH = 60.0
"""Seconds for which a reload trusts a secret that was just read."""

Secrets = Mapping[str, Secret]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The values of references by key, and every secret read so far that is still pointed to."""

    values: Mapping[str, str]
    secrets: Secrets
    problems: tuple[Problem, ...] = ()
    left_out: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Job:
    """What the lanes share: the secrets to read, and how each went."""

    context: Context
    deadline: float
    queue: deque[tuple[SecretIdentifier, Setting]]
    signers: dict[str, Signer | Exception] = field(default_factory=dict)
    """By vault: how requests to it are authorised, or why they cannot be."""
    found: dict[str, Secret] = field(default_factory=dict)
    failed: dict[str, UnresolvedReference] = field(default_factory=dict)


@plan
def resolve(
    context: Context,
    references: Mapping[str, Setting],
    held: Secrets,
    *,
    deadline: float,
    max_age: float,
    policy: str,
) -> Steps[Resolved]:
    """Return the value of each reference, reading those secrets that are older than `max_age`.

    Raises:
        UnresolvedReference: a secret could not be read and the policy does not say what else.
    """
    wanted = {key: secret_of(setting) for key, setting in references.items()}
    now = context.clock.monotonic()
    queue = {
        secret.url: (secret, references[key])
        for key, secret in wanted.items()
        if not _good(held.get(secret.url), secret, now, max_age)
    }
    job = _Job(context, deadline, deque(queue.values()))
    if queue and not context.options.vaults.configured:
        raise UnresolvedReference(next(iter(references.values())), _UNCONFIGURED)
    yield from _open_vaults(job)
    yield from together([_lane(job) for _ in range(min(LANES, len(queue)))])
    return _by_policy(references, wanted, {**held, **job.found}, job.failed, policy)


_UNCONFIGURED = (
    "nothing was given to resolve it with; pass keyvault_credential, keyvault_client_configs or "
    "secret_resolver to load()"
)


def _good(secret: Secret | None, identifier: SecretIdentifier, now: float, max_age: float) -> bool:
    if secret is None:
        return False
    return identifier.version is not None or now - secret.read_at < max_age


def _by_policy(
    references: Mapping[str, Setting],
    wanted: Mapping[str, SecretIdentifier],
    secrets: Secrets,
    failed: Mapping[str, UnresolvedReference],
    policy: str,
) -> Resolved:
    values: dict[str, str] = {}
    problems: list[Problem] = []
    left_out: set[str] = set()
    for key, secret in wanted.items():
        failure = failed.get(secret.url)
        if failure is not None and policy == "omit":
            left_out.add(key)
            problems.append(problem(references[key], f"is left out: {failure}"))
            continue
        if failure is not None:
            if policy == "raise" or secret.url not in secrets:
                raise failure
            problems.append(problem(references[key], f"keeps its last value: {failure}"))
        values[key] = secrets[secret.url].value
    urls = {secret.url for secret in wanted.values()}
    kept = {url: secret for url, secret in secrets.items() if url in urls}
    return Resolved(values, kept, tuple(problems), frozenset(left_out))


@plan
def _lane(job: _Job) -> Steps[None]:
    """Read secrets until the queue is empty; one that fails does not stop the others."""
    while job.queue:
        secret, setting = job.queue.popleft()
        try:
            value = yield from _read(job, secret, setting)
        except UnresolvedReference as failure:
            job.failed[secret.url] = failure
        else:
            job.found[secret.url] = Secret(value, job.context.clock.monotonic())


@plan
def _read(job: _Job, secret: SecretIdentifier, setting: Setting) -> Steps[str]:
    vaults = job.context.options.vaults
    try:
        if vaults.credential_for(secret) is not None:
            return (yield from _from_vault(job, secret))
        if vaults.resolver is None:
            why = "no credential may be sent to that host; name it in keyvault_client_configs"
            raise UnresolvedReference(setting, why, secret.url)
        value = yield from ask(Invoke(vaults.resolver, (secret.url,)))
    except UnresolvedReference:
        raise
    except Exception as error:
        raise _unresolved(setting, secret, error) from error
    if not isinstance(value, str):
        raise UnresolvedReference(setting, "secret_resolver returned no str", secret.url)
    return value


def _unresolved(
    setting: Setting, secret: SecretIdentifier, error: Exception
) -> UnresolvedReference:
    """Return the failure of one secret; what the user's resolver said stays in the chain only."""
    why = str(error) if isinstance(error, RequestFailed | Malformed) else type(error).__name__
    failure = UnresolvedReference(setting, why, secret.url)
    failure.may_heal = isinstance(error, RequestFailed) and not error.permanent
    failure.original = error.as_public() if isinstance(error, RequestFailed) else error
    return failure


@plan
def _open_vaults(job: _Job) -> Steps[None]:
    """Get a token for each vault, once; its own challenge says which one it wants."""
    vaults = job.context.options.vaults
    first = {secret.vault: secret for secret, _ in reversed(job.queue)}
    asked = [secret for secret in first.values() if vaults.credential_for(secret) is not None]
    yield from together([_open_vault(job, secret) for secret in asked])


@plan
def _open_vault(job: _Job, secret: SecretIdentifier) -> Steps[None]:
    credential = job.context.options.vaults.credential_for(secret)
    if credential is None:
        raise AssertionError("only vaults with a credential are opened")
    try:
        response = yield from exchange(_session(job, secret), _request(secret), frozenset({401}))
        challenge = response.headers.get("www-authenticate", "")
        token = yield from ask(AcquireToken(credential, _scope(job, secret, challenge)))
    except Exception as error:
        # Each secret of this vault fails with it, and each key by its own name.
        job.signers[secret.vault] = error
    else:
        job.signers[secret.vault] = token_signer(token.token)


@plan
def _from_vault(job: _Job, secret: SecretIdentifier) -> Steps[str]:
    signer = job.signers[secret.vault]
    if isinstance(signer, Exception):
        raise signer
    session = _session(job, secret)
    session.sign = signer
    response = yield from exchange(session, _request(secret), frozenset({200}))
    value = read_object(response, f"GET {secret.url}").get("value")
    if not isinstance(value, str):
        raise Malformed(f"{secret.url} answered without a value")
    return value


def _session(job: _Job, secret: SecretIdentifier) -> Session:
    context = job.context
    agent = tuple(pair for pair in context.headers if pair[0] == "user-agent")
    return Session(
        origin=secret.vault,
        sign=lambda _request, _now: (),
        headers=agent,
        deadline=job.deadline,
        patience=PATIENCE,
        retries=context.options.retries,
        clock=context.clock,
        random=context.random,
    )


def _request(secret: SecretIdentifier) -> Request:
    return Request("GET", secret.vault, secret_target(secret), (("accept", "application/json"),))


def _scope(job: _Job, secret: SecretIdentifier, challenge: str) -> str:
    """Return the scope of a challenge, if the vault may ask for it.

    A vault asks for tokens of its own domain; anything else would hand a token for one service to
    another. Only hosts that the program named itself are believed.
    """
    match = re.search(r'(?:resource|scope)="?([^",\s]+)', challenge)
    resource = match[1].removesuffix("/.default").rstrip("/") if match else ""
    host, asked = urlsplit(secret.vault).hostname or "", urlsplit(resource).hostname or ""
    named = secret.vault in job.context.options.vaults.credentials
    if not asked or not (named or host.endswith("." + asked)):
        raise refused(secret.vault, 401, b"", "a question for its scope, asking for a foreign one")
    return resource + "/.default"
