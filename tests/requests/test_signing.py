"""Signatures and bearer tokens, by values that were computed once by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from appconfig_provider._azure.rest.signing import access_key_signer, token_scope, token_signer
from appconfig_provider._fetch.origins import host_of
from appconfig_provider._plan import Request
from appconfig_provider.models import AccessKey

EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
"""The SHA-256 of nothing, as the service's documents show it."""
NOON = 1526064516.9
DATE = "Fri, 11 May 2018 18:48:36 GMT"


def signed(request: Request, secret: bytes = b"secret") -> dict[str, str]:
    """Return the headers of a signed request."""
    return dict(access_key_signer(AccessKey("the-id", secret))(request, NOON))


def expected(secret: bytes, *lines: str) -> str:
    """Return the Authorization header over lines of text."""
    digest = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    return (
        "HMAC-SHA256 Credential=the-id&SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        f"&Signature={base64.b64encode(digest).decode()}"
    )


def test_a_request_without_body_is_signed_over_method_target_date_and_host() -> None:
    """The date is the whole second in GMT; the content is the hash of nothing."""
    request = Request("GET", "https://one.azconfig.io:8443", "/kv?api-version=1&key=a%2A")
    text = f"{DATE};one.azconfig.io:8443;{EMPTY}"
    assert signed(request) == {
        "x-ms-date": DATE,
        "x-ms-content-sha256": EMPTY,
        "authorization": expected(b"secret", "GET", "/kv?api-version=1&key=a%2A", text),
    }


def test_a_body_is_covered_by_its_hash() -> None:
    """What is written is signed, so that it cannot be exchanged on the way."""
    body = b'{"value":"x"}'
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = signed(Request("PUT", "https://one.azconfig.io", "/kv/k", body=body), b"other")
    assert headers["x-ms-content-sha256"] == digest
    text = f"{DATE};one.azconfig.io;{digest}"
    assert headers["authorization"] == expected(b"other", "PUT", "/kv/k", text)


def test_each_second_has_its_own_date() -> None:
    """A date is remembered for its second alone."""
    sign = access_key_signer(AccessKey("id", b"secret"))
    request = Request("GET", "https://one.azconfig.io", "/kv")
    dates = [dict(sign(request, NOON + passed))["x-ms-date"][-6:-4] for passed in (0, 0.05, 1, 0)]
    assert dates == ["36", "36", "37", "36"]


def test_a_bearer_token_is_the_whole_authorization() -> None:
    """It is the same for every request, at any time."""
    sign = token_signer("the-token")
    request = Request("GET", "https://one.azconfig.io", "/kv")
    assert sign(request, NOON) == (("authorization", "Bearer the-token"),)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://one.azconfig.io", "one.azconfig.io"),
        ("http://localhost:8483", "localhost:8483"),
        ("http://[::1]:8483", "[::1]:8483"),
    ],
)
def test_the_host_is_what_stands_behind_the_scheme(origin: str, host: str) -> None:
    """The Host header has the port where it is not the usual one."""
    assert host_of(origin) == host


@pytest.mark.parametrize(
    ("origin", "audience", "scope"),
    [
        ("https://one.azconfig.io", None, "https://azconfig.io/.default"),
        ("https://one.azconfig.io:8443", None, "https://azconfig.io/.default"),
        ("https://one.AZCONFIG.io", None, "https://azconfig.io/.default"),
        ("https://one.appconfig.azure.us", None, "https://appconfig.azure.us/.default"),
        ("https://one.azconfig.azure.cn", None, "https://azconfig.azure.cn/.default"),
        ("https://azconfig.eastus.azconfig.azure.cn", None, "https://azconfig.azure.cn/.default"),
        ("https://azconfig", None, "https://azconfig/.default"),
        ("https://one.azconfig", None, "https://azconfig/.default"),
        ("https://config.example.org", None, "https://appconfig.azure.com/.default"),
        ("https://one.azconfig.io", "https://own", "https://own/.default"),
        ("https://one.azconfig.io", "https://own/", "https://own/.default"),
    ],
)
def test_the_scope_is_that_of_the_cloud_of_the_host(
    origin: str, audience: str | None, scope: str
) -> None:
    """The last label that names the service begins it; an `audience` that was given counts."""
    assert token_scope(origin, audience) == scope
