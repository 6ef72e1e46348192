"""Authenticating at the endpoints of a store: by access key, or by a token of the credential."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.discovery import discover
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._azure.rest.signing import access_key_signer, token_scope, token_signer
from appconfig_provider._azure.rest.sync_tokens import SyncToken
from appconfig_provider._azure.rest.tracing import Usage, correlation_context
from appconfig_provider._fetch.access import AttemptStart, RoundRules
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import AcquireToken, Headers, Plan, Signer, Steps, perform, plan
from appconfig_provider.models import Store
from appconfig_provider.texts import Hidden, printable


@dataclass(slots=True)
class StoreAccess:
    """Opens a session at each endpoint that is tried during one round.

    `usage` is about the content that is being served; None before the first load.
    """

    context: Context
    usage: Usage | None = None
    token: Hidden | None = None
    """The token that was used last; None with an access key."""

    @plan
    def open_session(self, begin: Callable[[], AttemptStart], endpoint: Endpoint) -> Steps[Session]:
        """Return a session whose requests are signed by the access key, or carry a token."""
        sign = yield from self._signer(endpoint.store)
        return _session(self.context, begin(), sign, self.usage)

    @plan
    def renew(self, session: Session, refusal: RequestFailed) -> Steps[bool]:
        """Get another token from the credential; return False with an access key."""
        if self.token is None:
            return False
        store = Store(session.origin)
        self.token = yield from _token(self.context, store, self.token, refusal)
        session.sign = token_signer(self.token.text)
        return True

    def memory(self, session: Session) -> Mapping[str, object]:
        """Return the sync tokens of the endpoint."""
        return cast("StoreService", session.service).tokens

    def discover(self, endpoints: Endpoints, deadline: float) -> Plan[Endpoints]:
        """Look up the replicas of the store in DNS."""
        return discover(self.context, endpoints, deadline)

    @plan
    def _signer(self, store: Store) -> Steps[Signer]:
        if store.access_key is not None:
            self.token = None
            return access_key_signer(store.access_key)
        self.token = yield from _token(self.context, store)
        return token_signer(self.token.text)


def rules(context: Context) -> RoundRules:
    """Return the rules for trying endpoints, according to the options."""
    options = context.options
    interval, retries = options.refresh.interval, options.network.retries
    return RoundRules(context.clock, context.random, interval, retries, options.store.balances)


def _session(context: Context, begin: AttemptStart, sign: Signer, usage: Usage | None) -> Session:
    """Return the session of an attempt that begins now."""
    tokens = cast("Mapping[str, SyncToken]", begin.endpoint.memory)
    service = StoreService(_headers(context, begin, usage), dict(tokens))
    return begin.session(sign, service, context.max_concurrency)


def _headers(context: Context, begin: AttemptStart, usage: Usage | None) -> Headers:
    """Return the headers of an attempt: the common ones and, unless off, Correlation-Context."""
    tags = (
        *(("UsesKeyVault",) if context.options.secrets.vaults.configured else ()),
        *(("Failover",) if begin.failover else ()),
    )
    value = correlation_context(
        context.environment,
        usage or Usage(),
        startup=usage is None,
        replicas=begin.known - 1,
        balanced=context.options.store.balances,
        tags=tags,
    )
    return (*context.headers, ("correlation-context", value)) if value else context.headers


@plan
def _token(
    context: Context,
    store: Store,
    refused: Hidden | None = None,
    refusal: RequestFailed | None = None,
) -> Steps[Hidden]:
    """Get a token from the credential; if it refuses, that counts as a 401 of the endpoint."""
    credential = context.credential
    if credential is None:
        raise AssertionError("every store has an access key, or there is a credential")
    claims = claims_of(refusal.challenge) if refusal is not None and refusal.challenge else None
    scope = token_scope(store.url, context.options.network.audience)
    effect = AcquireToken(credential, scope, refused.text if refused else None, claims)
    try:
        token = yield from perform(effect)
    except Exception as error:
        failure = _credential_failure(store.url, error)
        if failure is error:
            raise  # `raise failure from error` would make it its own cause
        raise failure from error
    return Hidden(token.token)


def _credential_failure(origin: str, error: Exception) -> Exception:
    """Return an `AzureError` of a credential as a failed request; any other error as it is."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    if not isinstance(error, AzureError):
        return error
    refused = isinstance(error, ClientAuthenticationError)
    kind = Kind.REFUSED if refused else Kind.UNREACHABLE
    text = f"the credential gave no token ({type(error).__name__}: {printable(error)})"
    failure = RequestFailed(kind, origin, text, status=401 if refused else None)
    failure.original = error
    return failure


def claims_of(challenge: str) -> str | None:
    """Return the claims that a 401 asks for in the next token (continuous access evaluation)."""
    match = re.search(r'claims="([^"]+)"', challenge)
    if match is None:
        return None
    try:
        return base64.urlsafe_b64decode(match[1] + "==").decode("utf-8")
    except ValueError:
        return None
