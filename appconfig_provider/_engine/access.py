"""Doing a job at one endpoint: signed with its access key, or with a token of the credential."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from appconfig_provider._engine.budgets import Budget
from appconfig_provider._engine.context import Context
from appconfig_provider._plan import (
    AcquireToken,
    Plan,
    Signer,
    Steps,
    VerifyConnections,
    perform,
    plan,
)
from appconfig_provider._rest.exchange import Session
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.signing import access_key_signer, token_scope, token_signer
from appconfig_provider.models import Store
from appconfig_provider.texts import Hidden, printable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """An endpoint's turn: the session to use, and how to ask for the time of a whole load."""

    session: Session
    budget: Budget
    untried: int

    def begin_reload(self) -> None:
        """Give the session the time of a reload; called when the check found a change."""
        now = self.session.clock.monotonic()
        self.budget.begin_reload(now)
        self.session.deadline = self.budget.share(now, self.untried)


@dataclass(frozen=True, slots=True)
class Access:
    """What lets requests in at an endpoint."""

    sign: Signer = field(repr=False)
    token: Hidden | None = None
    """None with an access key."""


@plan
def access_to(
    context: Context,
    store: Store,
    refused: Access | None = None,
    refusal: RequestFailed | None = None,
) -> Steps[Access]:
    """Return how requests to an endpoint are signed; not with what it has just refused."""
    if store.access_key is not None:
        return Access(access_key_signer(store.access_key))
    token = yield from _token(context, store, refused.token if refused else None, refusal)
    return Access(token_signer(token.text), token)


@plan
def do_job(
    context: Context, store: Store, access: Access, turn: Turn, job: Callable[[Turn], Plan[T]]
) -> Steps[T]:
    """Do the job at one endpoint; once more with a new token when the first one is refused."""
    session = turn.session
    refusal: RequestFailed | None = None
    while True:
        try:
            return (yield from job(turn))
        except RequestFailed as failure:
            if not session.displaced and (yield from _displaced(session.origin, failure)):
                session.displaced = True  # the driver uses new connections from now on
            elif failure.status != 401 or access.token is None or refusal is not None:
                raise
            else:
                refusal = failure
                access = yield from access_to(context, store, access, refusal)
                session.sign = access.sign
        session.deadline = turn.budget.share(context.clock.monotonic(), turn.untried)


@plan
def _displaced(origin: str, failure: RequestFailed) -> Steps[bool]:
    """Tell whether answers of an endpoint may have been taken for others."""
    if failure.kind is not Kind.MALFORMED:
        return failure.kind is Kind.UNASKED
    try:
        # What makes no sense may be the answer to something else.
        yield from perform(VerifyConnections(origin))
    except RequestFailed:
        return True
    return False


@plan
def _token(
    context: Context, store: Store, refused: Hidden | None, refusal: RequestFailed | None
) -> Steps[Hidden]:
    """Ask the credential for a token; its refusal counts as the endpoint's 401."""
    credential = context.credential
    if credential is None:
        raise AssertionError("every store has an access key, or there is a credential")
    claims = claims_of(refusal.challenge) if refusal is not None and refusal.challenge else None
    scope = token_scope(store.url, context.options.network.audience)
    asked = AcquireToken(credential, scope, refused.text if refused else None, claims)
    try:
        token = yield from perform(asked)
    except Exception as error:
        failure = _credential_failure(store.url, error)
        if failure is error:
            raise  # else it would become its own cause
        raise failure from error
    return Hidden(token.token)


def _credential_failure(origin: str, error: Exception) -> Exception:
    """Return a credential's azure error as an endpoint's failure, anything else as it is."""
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
    """Return what a 401 wants the next token to hold (continuous access evaluation)."""
    match = re.search(r'claims="([^"]+)"', challenge)
    if match is None:
        return None
    try:
        return base64.urlsafe_b64decode(match[1] + "==").decode("utf-8")
    except ValueError:
        return None
