"""Raw requests with a signer of their own, so that nothing between test and emulator helps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any

from appconfig_provider.emulator import DEFAULT_ACCESS_KEY

SIGNED = "x-ms-date;host;x-ms-content-sha256"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """An answer as it came; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def keys(self) -> list[str]:
        """The keys of a listing."""
        return [item["key"] for item in self.json["items"]]


@dataclass(frozen=True)
class Signer:
    """How a request is signed; every part can be set to something wrong."""

    id: str = DEFAULT_ACCESS_KEY.id
    secret: str = DEFAULT_ACCESS_KEY.secret
    names: str = SIGNED
    separator: str = "&"
    date: str | None = None
    signed_target: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def sign(self, method: str, target: str, host: str, body: bytes) -> dict[str, str]:
        """The headers that make a request a signed one."""
        date = self.date or format_datetime(datetime.now(timezone.utc), usegmt=True)
        headers = {
            "host": host,
            "date" if "date" in self.names.split(";") else "x-ms-date": date,
            "x-ms-content-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            **self.headers,
        }
        values = ";".join(headers.get(name, "") for name in self.names.split(";"))
        text = f"{method}\n{self.signed_target or target}\n{values}"
        digest = hmac.digest(base64.b64decode(self.secret), text.encode("latin-1"), "sha256")
        parts = {
            "Credential": self.id,
            "SignedHeaders": self.names,
            "Signature": base64.b64encode(digest).decode(),
        }
        joined = self.separator.join(f"{name}={value}" for name, value in parts.items())
        return {**headers, "authorization": f"HMAC-SHA256 {joined}"}


class Raw:
    """One kept connection to an emulator; every request target is sent as given."""

    def __init__(self, endpoint: str) -> None:
        self.host = endpoint.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self.host, timeout=10)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        signer: Signer | None = None,
    ) -> Reply:
        """Sign and send a request; the given headers win over the signed ones."""
        signed = (signer or Signer()).sign(method, target, self.host, body)
        return self.send_unsigned(method, target, {**signed, **(headers or {})}, body)

    def send_unsigned(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """Send a request with these headers and no others but its length."""
        self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        lengths = {"content-length": str(len(body))} if body or method == "PUT" else {}
        for name, value in {**lengths, **headers}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body or None)
        return self._reply()

    def send_chunked(self, method: str, target: str, body: bytes) -> Reply:
        """Sign and send a JSON body in chunks, without telling its length."""
        headers = {**Signer().sign(method, target, self.host, body), **JSON}
        self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "transfer-encoding": "chunked"}.items():
            self._connection.putheader(name, value)
        chunks = (body[start : start + 1000] for start in range(0, len(body), 1000))
        self._connection.endheaders(chunks, encode_chunked=True)
        return self._reply()

    def _reply(self) -> Reply:
        answer = self._connection.getresponse()
        sent = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, sent, answer.read())

    def get(self, target: str, **headers: str) -> Reply:
        """GET a target; ``if_match`` stands for the header ``if-match``."""
        return self.send("GET", target, {n.replace("_", "-"): v for n, v in headers.items()})

    def put(self, target: str, content: object, **headers: str) -> Reply:
        """PUT a JSON body to a target."""
        named = {n.replace("_", "-"): v for n, v in headers.items()}
        return self.send("PUT", target, {**JSON, **named}, json.dumps(content).encode())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
