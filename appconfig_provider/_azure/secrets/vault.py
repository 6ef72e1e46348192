"""Reading secrets: each one once, at most sixteen at a time.

A `secret_resolver` that is not a coroutine function gets one call at a time, since it need not be
thread-safe. Once the time of the load is used up, no more secrets are read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from appconfig_provider._azure.context import Context, Secret
from appconfig_provider._azure.endpoints.access import claims_of
from appconfig_provider._azure.rest.refusals import as_azure
from appconfig_provider._azure.rest.requests import secret_target
from appconfig_provider._azure.rest.responses import Malformed, read_object
from appconfig_provider._azure.rest.services import VaultService
from appconfig_provider._azure.rest.signing import token_signer
from appconfig_provider._azure.secrets.rotation import ReadResults, Secrets
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.vaults import SecretIdentifier, Vaults, scope_of
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.exchange import Session, exchange
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import (
    AcquireToken,
    Invoke,
    Request,
    Response,
    Signer,
    Steps,
    gather,
    perform,
    plan,
)
from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.texts import Hidden
from appconfig_provider.trouble import describe

CONCURRENCY = 16
"""Secrets that are read at the same time, at most."""

Wanted = tuple[SecretIdentifier, Setting]
"""A secret to read, and the first of the settings that point to it."""


@dataclass(slots=True)
class _Job:
    """What the concurrent readers share: the secrets to read, and the results."""

    context: Context
    allowed: Allowed
    queue: deque[Wanted]
    previous: Secrets
    results: ReadResults
    tokens: dict[str, Hidden | Exception] = field(default_factory=dict)
    """By vault: its token, or the error of the attempt to get one."""


@plan
def read_secrets(
    context: Context,
    queue: deque[Wanted],
    previous: Secrets,
    allowed: Allowed,
    results: ReadResults,
) -> Steps[None]:
    """Read secrets, and add the result of each to `results`; one that fails stops no other."""
    job = _Job(context, allowed, queue, previous, results)
    yield from _open_vaults(job)
    yield from gather(*[_read_all(job, queue) for queue in _queues(job)])


def _queues(job: _Job) -> list[deque[Wanted]]:
    """Return the queue of each reader.

    All readers share one queue. Only a blocking resolver has a queue and a reader of its own, so
    that it gets one call at a time.
    """
    vaults = job.context.options.secrets.vaults
    if not _blocks(vaults):
        return [job.queue] * min(CONCURRENCY, len(job.queue))
    alone = deque(one for one in job.queue if vaults.credential_for(one[0]) is None)
    shared = deque(one for one in job.queue if vaults.credential_for(one[0]) is not None)
    return [shared] * min(CONCURRENCY, len(shared)) + [alone]


def _blocks(vaults: Vaults) -> bool:
    """Tell whether a call of the resolver blocks its thread."""
    return vaults.resolver is not None and not is_coroutine_function(vaults.resolver)


@plan
def _read_all(job: _Job, queue: deque[Wanted]) -> Steps[None]:
    """Read secrets until the queue is empty; one that fails does not stop the others."""
    while queue:
        secret, setting = queue.popleft()
        try:
            value = yield from _read(job, secret, setting)
        except UnresolvedReference as failure:
            job.results.failed[secret.url] = failure
        else:
            before = job.previous.get(secret.url)
            if before is not None and before.value is not None and before.value == value:
                value = before.value  # what has not changed stays the same object
            now, fixed = job.context.clock.monotonic(), secret.version is not None
            job.results.found[secret.url] = Secret(value, now, fixed)


@plan
def _read(job: _Job, secret: SecretIdentifier, setting: Setting) -> Steps[str]:
    vaults = job.context.options.secrets.vaults
    if job.context.clock.monotonic() >= job.allowed.until:
        raise _too_late(setting, secret, job.allowed)
    by_credential = vaults.credential_for(secret) is not None
    try:
        if by_credential:
            return (yield from _from_vault(job, secret))
        if vaults.resolver is None:
            why = "no credential may be sent to that host; name it in keyvault_client_configs"
            raise UnresolvedReference(setting, why, secret.shown)
        call = Invoke(vaults.resolver, (secret.written,), blocking=_blocks(vaults))
        value = yield from perform(call)
    except UnresolvedReference:
        raise
    except Exception as error:
        raiser = "the credential for Key Vault" if by_credential else "secret_resolver"
        raise _unresolved(setting, secret, error, raiser) from error
    if not isinstance(value, str):
        raise UnresolvedReference(setting, "secret_resolver returned no str", secret.shown)
    return value


def _too_late(setting: Setting, secret: SecretIdentifier, allowed: Allowed) -> UnresolvedReference:
    failure = UnresolvedReference(setting, f"not read, because {allowed.message}", secret.shown)
    failure.may_heal = failure.out_of_time = True
    return failure


def _unresolved(
    setting: Setting, secret: SecretIdentifier, error: Exception, raiser: str
) -> UnresolvedReference:
    """Return the failure of one secret.

    An error of the user's credential or resolver may quote a secret. So its text is not part of the
    message: it is only chained.
    """
    ours = isinstance(error, RequestFailed | Malformed)
    why = str(error) if ours else f"{raiser}: {describe(error)}"
    failure = UnresolvedReference(setting, why, secret.shown)
    if isinstance(error, RequestFailed):
        failure.may_heal, failure.retry_after = not error.permanent, error.retry_after
    if isinstance(error, RequestFailed):
        failure.original = as_azure(error)
    elif not isinstance(error, Malformed):  # its frames hold the answer, with the secret
        failure.original = error
    return failure


@plan
def _open_vaults(job: _Job) -> Steps[None]:
    """Get a token for each vault, once; the vault's challenge names the scope of the token."""
    vaults = job.context.options.secrets.vaults
    first = {secret.vault: secret for secret, _ in reversed(job.queue)}
    readable = [secret for secret in first.values() if vaults.credential_for(secret) is not None]
    yield from gather(*[_open_vault(job, secret) for secret in readable])


@plan
def _open_vault(
    job: _Job, secret: SecretIdentifier, refused: Hidden | None = None, claims: str | None = None
) -> Steps[None]:
    """Get the token for a vault; `refused` is a token that the vault has refused."""
    credential = job.context.options.secrets.vaults.credential_for(secret)
    if credential is None:
        raise AssertionError("only vaults with a credential are opened")
    try:
        response = yield from exchange(_session(job, secret), _request(secret), frozenset({401}))
        scope = _scope(secret, response.headers.get("www-authenticate", ""))
        old = refused.text if refused is not None else None
        token = yield from perform(AcquireToken(credential, scope, old, claims))
    except Exception as error:
        # Stored, not raised: each key reports this error under its own name.
        job.tokens[secret.vault] = error
    else:
        job.tokens[secret.vault] = Hidden(token.token)


@plan
def _from_vault(job: _Job, secret: SecretIdentifier) -> Steps[str]:
    """Read a secret; a token that is refused is replaced once."""
    token = job.tokens[secret.vault]
    try:
        return (yield from _with_token(job, secret, token))
    except RequestFailed as failure:
        if failure.status != 401 or isinstance(token, Exception):
            raise
        if job.tokens[secret.vault] == token:
            claims = claims_of(failure.challenge or "")
            yield from _open_vault(job, secret, token, claims)
    return (yield from _with_token(job, secret, job.tokens[secret.vault]))


@plan
def _with_token(job: _Job, secret: SecretIdentifier, token: Hidden | Exception) -> Steps[str]:
    if isinstance(token, Exception):
        raise token
    session = _session(job, secret, token_signer(token.text))
    try:
        response = yield from exchange(session, _request(secret), frozenset({200}))
    except RequestFailed as failure:
        if failure.kind is not Kind.UNSOLICITED:
            raise
        # The driver uses a new connection now. Secrets that were read before need not be read
        # again: each answer names its secret, and `_value` has compared the names.
        response = yield from exchange(session, _request(secret), frozenset({200}))
    value = _value(response, secret)
    if value is None:
        raise Malformed(f"{secret.url} answered without a value")
    return value


def _value(response: Response, secret: SecretIdentifier) -> str | None:
    body = read_object(response, f"GET {secret.url}")
    named, value = body.get("id"), body.get("value")
    # The answer names its secret. A displaced answer would be the value of another secret.
    if isinstance(named, str) and _name_in(named) != secret.name.lower():
        raise Malformed(f"{secret.url} answered with another secret")
    return value if isinstance(value, str) else None


def _name_in(address: str) -> str:
    return address.partition("/secrets/")[2].partition("/")[0].lower()


def _session(job: _Job, secret: SecretIdentifier, sign: Signer | None = None) -> Session:
    context = job.context
    agent = tuple(pair for pair in context.headers if pair[0] == "user-agent")
    return Session(
        origin=secret.vault,
        sign=sign,
        service=VaultService(agent),
        deadline=job.allowed.until,
        retries=context.options.network.retries,
        clock=context.clock,
        random=context.random,
    )


def _request(secret: SecretIdentifier) -> Request:
    return Request("GET", secret.vault, secret_target(secret), (("accept", "application/json"),))


def _scope(secret: SecretIdentifier, challenge: str) -> str:
    """Return the scope that a vault asks for.

    Raises:
        RequestFailed: its challenge names no scope, or that of another service.
    """
    scope = scope_of(challenge, secret.vault)
    if scope is None:
        raise RequestFailed(
            Kind.REFUSED,
            secret.vault,
            "answered 401 to a question for its scope, asking for a foreign one",
            status=401,
        )
    return scope
