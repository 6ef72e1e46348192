"""Who may ask: signatures, dates, challenges."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone

import pytest

from appconfig_provider.emulator import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.auth import (
    SignedRequest,
    Unauthenticated,
    authenticate,
    parse_date,
    sign,
)
from appconfig_provider.testing import Emulator

from .raw import SIGNED, Raw, Signer

PYTHONS = "%b, %d %Y %H:%M:%S.%f GMT"
RFC_1123 = "%a, %d %b %Y %H:%M:%S GMT"
ISO = "%Y-%m-%dT%H:%M:%S.%f+00:00"
DOTNET = "date;host;x-ms-content-sha256"


def challenge(reason: str) -> str:
    """The challenge of a signature that did not hold."""
    return f'HMAC-SHA256 error="invalid_token", error_description="{reason}"'


def test_vector() -> None:
    """The signature is the HMAC over method, target and the signed values."""
    target = b"/kv?api-version=2023-11-01&key=a%2A"
    values = (
        "Fri, 11 May 2018 18:48:36 GMT",
        "localhost:8483",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    )
    signature = sign(SignedRequest("GET", target, {}), "c2VjcmV0", values)
    assert base64.b64encode(signature) == b"wMLC0c+NCY7pIfqnY94Ly3n2/A2v6Wls5WwJ4qjs1c8="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri, 20 Nov 2026 23:52:02 GMT", 1795218722.0),
        ("Nov, 20 2026 23:52:02.533869 GMT", 1795218722.0),
        ("2026-11-20T23:52:02Z", 1795218722.0),
        ("2026-11-20T23:52:02+00:00", 1795218722.0),
        ("2026-11-20 23:52:02", 1795218722.0),
        ("Nov, 31 2026 23:52:02 GMT", None),
        ("Xxx, 20 2026 23:52:02 GMT", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: float | None) -> None:
    """RFC 1123, the Python client's own form and ISO 8601 are dates; the rest is none."""
    assert parse_date(text) == expected


@pytest.mark.parametrize("names", [SIGNED, DOTNET, "x-extra;" + SIGNED, SIGNED.upper()])
@pytest.mark.parametrize("separator", ["&", ", ", ","])
def test_accepted_forms(raw: Raw, names: str, separator: str) -> None:
    """Either date header, further headers, any case and both separators are accepted."""
    if names.isupper():
        signer = Signer(separator=separator)
        headers = signer.sign("GET", "/kv", raw.host, b"")
        headers["authorization"] = headers["authorization"].replace(SIGNED, names)
        assert raw.send_unsigned("GET", "/kv", headers).status == 200
        return
    signer = Signer(names=names, separator=separator, headers={"x-extra": "1"})
    assert raw.send("GET", "/kv", signer=signer).status == 200


def date_of(form: str, minutes: float) -> str:
    """A date so many minutes from now; a test that computed it at import would meet an old one."""
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime(form)


@pytest.mark.parametrize(
    ("form", "minutes"), [(PYTHONS, 0), (RFC_1123, 0), (ISO, 0), (ISO, -14), (ISO, 14)]
)
def test_accepted_dates(raw: Raw, form: str, minutes: float) -> None:
    """A date in any of the three forms counts when it is less than 15 minutes off."""
    signer = Signer(date=date_of(form, minutes))
    assert raw.send("GET", "/kv", signer=signer).status == 200


@pytest.mark.parametrize("minutes", [-16, 17])
def test_expired_dates(raw: Raw, minutes: float) -> None:
    """A date that is more than 15 minutes off is refused, whichever way."""
    reply = raw.send("GET", "/kv", signer=Signer(date=date_of(ISO, minutes)))
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == challenge("The access token has expired")


@pytest.mark.parametrize(
    "target",
    [
        "/kv?key=a*&label=%00",
        "/kv?key=a%2A&label=%2C",
        "/kv?key=%zz%",
        "/kv?Key=a+b%20c",
        "/kv/a%2fb",
        "/kv?",
    ],
)
def test_signature_covers_the_target_as_sent(raw: Raw, target: str) -> None:
    """The target is signed as it stands on the request line, however it is escaped."""
    assert raw.send("GET", target).status in (200, 404)
    other = Signer(signed_target=target.upper().replace("/KV", "/kv") + "x")
    assert raw.send("GET", target, signer=other).status == 401


def test_endpoint_with_a_slash_at_the_end(raw: Raw) -> None:
    """A signature over the target without its first slash is accepted."""
    assert raw.send("GET", "/kv?key=a", signer=Signer(signed_target="kv?key=a")).status == 200


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (Signer(names="x-ms-date;host"), "x-ms-content-sha256 is required as a signed header"),
        (Signer(names="x-ms-date;x-ms-content-sha256"), "host is required as a signed header"),
        (Signer(names="host;x-ms-content-sha256"), "x-ms-date is required as a signed header"),
        (Signer(names="x-gone;" + SIGNED), "Signed request header 'x-gone' is not provided"),
        (Signer(names=""), "SignedHeaders is required"),
        (Signer(date="yesterday"), "Invalid access token date"),
        (Signer(id=""), "Credential is required"),
        (Signer(id="somebody"), "Invalid Credential"),
        (Signer(secret="b3RoZXI="), "Invalid Signature"),
        (
            Signer(headers={"x-ms-content-sha256": base64.b64encode(b"x" * 32).decode()}),
            "Invalid request content hash",
        ),
    ],
)
def test_refusals(raw: Raw, signer: Signer, reason: str) -> None:
    """A signature that does not hold is a 401 without body whose challenge says why."""
    reply = raw.send("GET", "/kv", signer=signer)
    assert (reply.status, reply.body) == (401, b"")
    assert reply.headers["www-authenticate"] == challenge(reason)
    assert "sync-token" in reply.headers


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "HMAC-SHA256"),
        ("Bearer abc", "HMAC-SHA256"),
        ("Basic abc", "HMAC-SHA256"),
        ("HMAC-SHA256", challenge("SignedHeaders is required")),
        ("HMAC-SHA256 nonsense", challenge("SignedHeaders is required")),
        (
            f"HMAC-SHA256 Credential={DEFAULT_ACCESS_KEY.id}&SignedHeaders={SIGNED}",
            challenge("Signature is required"),
        ),
        (
            f"HMAC-SHA256 Credential={DEFAULT_ACCESS_KEY.id}&SignedHeaders={SIGNED}&Signature=%",
            challenge("Invalid Signature"),
        ),
        (
            'HMAC-SHA256 SignedHeaders=x"y\\&Signature=abcd',
            challenge("Signed request header 'x\\\"y\\\\' is not provided"),
        ),
    ],
)
def test_malformed_authorization(raw: Raw, authorization: str | None, expected: str) -> None:
    """No, another or half an Authorization header is a 401 with a well-formed challenge."""
    headers = Signer().sign("GET", "/kv", raw.host, b"")
    del headers["authorization"]
    if authorization is not None:
        headers["authorization"] = authorization
    reply = raw.send_unsigned("GET", "/kv", headers)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, expected)


def test_body_must_be_the_signed_one(raw: Raw, store: Emulator) -> None:
    """A body that was swapped after signing is refused and nothing is stored."""
    headers = Signer().sign("PUT", "/kv/k", raw.host, b'{"value":"a"}')
    headers["content-type"] = "application/json"
    reply = raw.send_unsigned("PUT", "/kv/k", headers, b'{"value":"b"}')
    assert reply.headers["www-authenticate"] == challenge("Invalid request content hash")
    assert store.get("k") is None


def test_read_only_key() -> None:
    """A read-only access key reads, and gets 403 for a write."""
    key = AccessKey("reader", "c2VjcmV0", read_only=True)
    with Emulator(access_keys=(key,)) as store, Raw(store.endpoint) as raw:
        signer = Signer(id=key.id, secret=key.secret)
        assert raw.send("GET", "/kv", signer=signer).status == 200
        assert raw.send("DELETE", "/kv/k", signer=signer).status == 403


@pytest.mark.parametrize(("name", "secret"), [("", "c2VjcmV0"), ("a;b", "c2VjcmV0"), ("a", "%")])
def test_access_key_checks_itself(name: str, secret: str) -> None:
    """An access key that no connection string can carry is a ValueError that hides the secret."""
    with pytest.raises(ValueError, match="access key") as caught:
        AccessKey(name, secret)
    assert "c2VjcmV0" not in str(caught.value)


def test_access_key_hides_its_secret() -> None:
    """The repr of an access key does not show the secret."""
    assert "c2VjcmV0" not in repr(AccessKey("a", "c2VjcmV0"))


class CountedHeaders(Mapping[str, str]):
    """Headers that count how often one was looked up."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.looked_up = 0

    def __getitem__(self, name: str) -> str:
        self.looked_up += 1
        return self.headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    def __len__(self) -> int:
        return len(self.headers)


def test_names_of_signed_headers_that_repeat() -> None:
    """A header that is named ten thousand times is looked up a few times: that is slow."""
    names = ";".join(["x-ms-date"] * 10_000)
    given = f"HMAC-SHA256 Credential=x&SignedHeaders={names}&Signature=x"
    headers = CountedHeaders({"x-ms-date": "today", "authorization": given})
    with pytest.raises(Unauthenticated, match="host is required"):
        authenticate(SignedRequest("GET", b"/kv", headers), [DEFAULT_ACCESS_KEY], 0.0)
    assert headers.looked_up < 10
