"""HMAC-SHA256 signing and bearer headers; pure functions of a request and a time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from functools import lru_cache

from appconfig_provider._fetch.origins import host_of
from appconfig_provider._plan import Headers, Request, Signer
from appconfig_provider.models import AccessKey

_NO_BODY = base64.b64encode(hashlib.sha256(b"").digest()).decode("ascii")


def access_key_signer(key: AccessKey) -> Signer:
    """Return the signer for an access key.

    The signature covers the method, the request target as it stands on the request line, the date,
    the host and the hash of the body.
    """
    secret = key.secret
    start = f"HMAC-SHA256 Credential={key.id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256"

    def sign(request: Request, now: float) -> Headers:
        date = _http_date(int(now))
        content = _content_hash(request.body)
        host = host_of(request.origin)
        text = f"{request.method}\n{request.target}\n{date};{host};{content}"
        digest = hmac.digest(secret, text.encode("ascii"), "sha256")
        signature = base64.b64encode(digest).decode("ascii")
        return (
            ("x-ms-date", date),
            ("x-ms-content-sha256", content),
            ("authorization", f"{start}&Signature={signature}"),
        )

    return sign


def token_signer(token: str) -> Signer:
    """Return the signer for a bearer token."""
    headers: Headers = (("authorization", f"Bearer {token}"),)

    def sign(_request: Request, _now: float) -> Headers:
        return headers

    return sign


@lru_cache(maxsize=8)
def _http_date(second: int) -> str:
    """Return a second since 1970 as an HTTP date; cached, as many requests have the same second."""
    return formatdate(second, usegmt=True)


def _content_hash(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode("ascii") if body else _NO_BODY


def token_scope(origin: str, audience: str | None) -> str:
    """Return the scope of tokens for a store: by `audience`, else by the cloud of its host."""
    if audience is not None:
        return audience.rstrip("/") + "/.default"
    labels = host_of(origin).partition(":")[0].lower().split(".")
    for place in range(len(labels) - 1, -1, -1):
        if labels[place] in {"appconfig", "azconfig"}:
            return f"https://{'.'.join(labels[place:])}/.default"
    return "https://appconfig.azure.com/.default"
