"""What is said of a request that failed, and which public error it becomes."""

from __future__ import annotations

import json

import pytest

from appconfig_provider import errors
from appconfig_provider._azure.rest.refusals import as_azure
from appconfig_provider._azure.rest.services import StoreService, VaultService
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Request, Response

ORIGIN = "https://one.azconfig.io"


def refused(doing: str, status: int, body: bytes) -> RequestFailed:
    """Return what the service that was asked makes of an answer."""
    method, _, target = doing.partition(" ")
    service = VaultService(()) if target.startswith("/secrets/") else StoreService(())
    return service.refusal(ORIGIN, Request(method, ORIGIN, target), Response(status, {}, body))


@pytest.mark.parametrize(
    ("doing", "status", "hint"),
    [
        ("GET /kv?key=a", 400, "check the selectors"),
        ("GET /kv?key=a", 401, "check the access key"),
        ("GET /kv?key=a", 403, "App Configuration Data Reader"),
        ("GET /kv?key=a", 404, "check the endpoint"),
        ("GET /kv?key=a", 429, "quota"),
        ("GET /snapshots/s", 403, "App Configuration Data Reader"),
        ("GET /secrets/s", 401, "check the credential for Key Vault"),
        ("GET /secrets/s", 403, "Key Vault Secrets User"),
        ("GET /secrets/s", 404, "no such secret"),
        ("GET /secrets/s", 429, ""),
        ("GET /kv?key=a", 500, ""),
        ("GET /kv/a", 400, "check the watched keys"),
        ("GET /kv/a", 401, "check the access key"),
        ("GET /kv/a", 302, "redirects are never followed; check the endpoint and the proxy"),
        ("GET /secrets/s", 307, "redirects are never followed"),
        ("PUT /kv/a", 403, ""),
        ("HEAD /keys", 403, ""),
    ],
)
def test_a_refusal_says_what_to_do_about_it(doing: str, status: int, hint: str) -> None:
    """The hint follows from who refused what; where none helps, nothing is said."""
    failure = refused(doing, status, b"")
    before, _, reported = str(failure).partition("; ")
    assert before == f"{ORIGIN}: answered {status} to {doing}"
    assert (hint in reported) if hint else reported == ""
    assert failure.detail == f"answered {status} to {doing}"
    assert (failure.kind, failure.status) == (Kind.REFUSED, status)
    assert failure.permanent is (status in {400, 401, 403, 404})


@pytest.mark.parametrize("kind", ["host-not-served", "origin-not-allowed"])
@pytest.mark.parametrize("doing", ["GET /kv?key=a", "GET /kv/a", "GET /secrets/s"])
def test_a_local_store_that_says_what_to_do_is_repeated_alone(doing: str, kind: str) -> None:
    """Who was refused for a host or an origin lacks no role, so none is advised."""
    body = {"type": f"https://azconfig.io/errors/{kind}", "title": "No", "detail": "Add it."}
    failure = refused(doing, 403, json.dumps(body).encode())
    assert str(failure) == f"{ORIGIN}: answered 403 to {doing} (No: Add it.)"


@pytest.mark.parametrize("kind", [7, None, ["x"], {}, "https://azconfig.io/errors/other"])
def test_any_other_problem_has_its_hint(kind: object) -> None:
    """A type that is unknown, or no text, takes no hint away."""
    failure = refused("GET /kv?key=a", 403, json.dumps({"type": kind, "title": "No"}).encode())
    assert "App Configuration Data Reader" in str(failure)


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({"title": "Bad", "detail": "Key is too long"}, " (Bad: Key is too long)"),
        ({"title": "Bad"}, " (Bad)"),
        ({"detail": "Key is too long"}, " (Key is too long)"),
        ({"title": "", "detail": 7}, ""),
        ([], ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_a_refusal_repeats_what_the_service_said(body: object, reported: str) -> None:
    """Title and detail of a problem body; anything else is not repeated."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = refused("GET /kv", 500, content)
    assert str(failure) == f"{ORIGIN}: answered 500 to GET /kv{reported}"


@pytest.mark.parametrize(
    ("kind", "status", "public"),
    [
        (Kind.REFUSED, 401, errors.ClientAuthenticationError),
        (Kind.REFUSED, 404, errors.ResourceNotFoundError),
        (Kind.REFUSED, 403, errors.HttpResponseError),
        (Kind.REFUSED, 503, errors.HttpResponseError),
        (Kind.UNREACHABLE, None, errors.ServiceRequestError),
        (Kind.UNTRUSTED, None, errors.ServiceRequestError),
        (Kind.UNANSWERED, None, errors.ServiceResponseError),
        (Kind.OUT_OF_TIME, None, errors.ServiceResponseError),
        (Kind.MALFORMED, None, errors.ServiceResponseError),
    ],
)
def test_a_failure_is_handed_out_as_the_error_of_azure_core(
    kind: Kind, status: int | None, public: type[Exception]
) -> None:
    """It has the same words, the status, and our own error as its cause."""
    failure = RequestFailed(kind, ORIGIN, "no", status=status)
    error = as_azure(failure)
    assert type(error) is public
    assert str(error).splitlines()[0] == f"{ORIGIN}: no"
    assert getattr(error, "status_code", None) == status
    assert error.__cause__ is failure
    assert not failure.foreign


def test_the_error_of_a_credential_is_handed_out_as_it_is() -> None:
    """Nothing is put in front of what the credential said."""
    failure = RequestFailed(Kind.REFUSED, ORIGIN, "no token", status=401)
    failure.original = original = errors.ClientAuthenticationError("its own words")
    assert failure.foreign
    assert as_azure(failure) is original
