"""Refusals of a service: their messages and hints, and azure-core's error for each.

azure-core's errors take 70 ms to import. So the plans raise `RequestFailed`, and it is turned into
azure-core's error only when the user gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from appconfig_provider import trouble
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Request, Response
from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.texts import printable
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

MAX_PROBLEM = 65_536
"""Bytes that are read of the body of a refusal, at most."""

Hints = Mapping[int, str]
"""By status: what the user can do about a refusal."""

LISTING_HINTS: Hints = {
    400: "check the selectors",
    401: "check the access key, or the credential and its audience, and this machine's clock",
    403: "give the identity the role 'App Configuration Data Reader'",
    404: "check the endpoint",
    429: "the store's request quota is used up: lengthen refresh_interval or use a higher tier",
}

WATCHED_KEY_HINTS: Hints = {**LISTING_HINTS, 400: "check the watched keys"}

SECRET_HINTS: Hints = {
    401: "check the credential for Key Vault",
    403: "give the identity the role 'Key Vault Secrets User'",
    404: "there is no such secret",
}

SAY_WHAT_TO_DO = frozenset(
    f"https://azconfig.io/errors/{kind}" for kind in ("host-not-served", "origin-not-allowed")
)
"""Problems of a local store that no role and no key would solve; they name the option that does."""

_REDIRECT = "redirects are never followed; check the endpoint and the proxy"


def hints_of_store(request: Request) -> Hints:
    """Return the hints for a request to the store.

    Only reads have hints here: the `appconfig` command, which alone writes, has its own for writes.
    """
    if request.method != "GET":
        return {}
    path = request.target.partition("?")[0]
    if path.startswith("/kv/"):
        return WATCHED_KEY_HINTS
    return LISTING_HINTS if path == "/kv" or path.startswith("/snapshots") else {}


def refusal(
    origin: str, request: Request, response: Response, hints: Hints | None = None
) -> RequestFailed:
    """Return the failure for a status that was not accepted; its message says what to do."""
    status = response.status
    text = f"answered {status} to {printable(f'{request.method} {request.target}')}"
    problem = _problem(response.body)
    explanation = _title_and_detail(problem)
    if explanation:
        text += f" ({explanation})"
    default_hint = _REDIRECT if 300 <= status < 400 else ""
    kind = problem.get("type")
    explained = isinstance(kind, str) and kind in SAY_WHAT_TO_DO
    hint = "" if explained else (hints or {}).get(status, default_hint)
    return RequestFailed(Kind.REFUSED, origin, text, status=status, hint=hint)


def _problem(body: bytes) -> Mapping[str, object]:
    """Return a problem+json body; an empty one for any other body."""
    try:
        problem = decode(body[:MAX_PROBLEM])
    except Undecodable:
        return {}
    return problem if isinstance(problem, dict) else {}


def _title_and_detail(problem: Mapping[str, object]) -> str:
    parts = (problem.get("title"), problem.get("detail"))
    return printable(": ".join(part for part in parts if isinstance(part, str) and part))


def public(error: Exception) -> Exception:
    """Return the error that the user gets: azure-core's for a failed request, else one of ours."""
    return trouble.public(error, as_azure)


def as_azure(error: EngineError) -> Exception:
    """Return azure-core's error for a failed request; any other error knows its public one."""
    if not isinstance(error, RequestFailed) or error.original is not None:
        return error.as_public()
    azure_error = _azure_error(error)
    azure_error.__cause__ = error
    return azure_error


def _azure_error(failure: RequestFailed) -> AzureError:
    from appconfig_provider import errors

    if failure.kind in {Kind.UNREACHABLE, Kind.UNTRUSTED}:
        return errors.ServiceRequestError(str(failure))
    if failure.kind is not Kind.REFUSED:
        return errors.ServiceResponseError(str(failure))
    by_status = {401: errors.ClientAuthenticationError, 404: errors.ResourceNotFoundError}
    refused = by_status.get(failure.status or 0, errors.HttpResponseError)(message=str(failure))
    refused.status_code = failure.status
    return refused
