"""A small Key Vault: secrets with versions, read the way the service lets them be read.

A request without a token is told by a challenge where to get one; a secret that is disabled is
forbidden, one that is not there is not found, and both are said in the service's form of error.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Final
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appconfig_provider.emulator.tokens import VAULT_AUDIENCES, Tokens

_NAME: Final = re.compile("[0-9a-zA-Z-]{1,127}")
_AUTHORITY: Final = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000"
_LABEL: Final = "[0-9A-Za-z_-]{1,63}"
_IN_DOMAIN: Final = re.compile(
    rf"{_LABEL}\.((?:{_LABEL}\.){{1,5}}[A-Za-z][0-9A-Za-z-]{{0,62}})(:[0-9]{{1,5}})?"
)
_MAX_VALUE: Final = 25_600


@dataclass(frozen=True, slots=True)
class Secret:
    """One version of a secret; instants are in seconds since 1970, the repr hides the value."""

    name: str
    version: str
    value: str
    content_type: str | None
    enabled: bool
    created: int
    updated: int

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r}, version={self.version!r})"


class Secrets:
    """The secrets of one vault, in memory; names are told apart without regard to case.

    ``now`` gives seconds since 1970.

    Every method may be called from any thread.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._versions: dict[str, list[Secret]] = {}

    def set(
        self, name: str, value: str, content_type: str | None = None, *, enabled: bool = True
    ) -> Secret:
        """Add a version of a secret, the current one from now on.

        Raises:
            ValueError: the service would refuse the name or the size of the value.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"a secret's name has 1 to 127 letters, digits and '-', not {name!r}")
        if len(value.encode()) > _MAX_VALUE:
            raise ValueError(f"the secret {name!r} is larger than {_MAX_VALUE} bytes")
        now = int(self.now())
        secret = Secret(name, secrets.token_hex(16), value, content_type, enabled, now, now)
        with self._lock:
            self._versions.setdefault(name.lower(), []).append(secret)
        return secret

    def enable(self, name: str, *, enabled: bool) -> None:
        """Enable or disable the current version of a secret.

        Raises:
            KeyError: there is no such secret.
        """
        with self._lock:
            versions = self._versions[name.lower()]
            versions[-1] = replace(versions[-1], enabled=enabled, updated=int(self.now()))

    def get(self, name: str, version: str = "") -> Secret | None:
        """A version of a secret, the current one when none is named."""
        with self._lock:
            found = self._versions.get(name.lower(), [])
            if not version:
                return found[-1] if found else None
            return next((secret for secret in found if secret.version == version.lower()), None)

    def delete(self, name: str) -> bool:
        """Remove a secret with all its versions and tell whether there was one."""
        with self._lock:
            return self._versions.pop(name.lower(), None) is not None


def create_vault(stored: Secrets, tokens: Tokens, base_url: Callable[[], str]) -> Starlette:
    """The vault as an ASGI application; ``base_url`` is what the ids of secrets begin with."""

    def answer(request: Request) -> Response:
        authorization, host = (request.headers.get(name, "") for name in ("authorization", "host"))
        domain, port = _domain(host)
        if not tokens.accept(authorization, host, domain + port):
            return _unauthorized(domain, port, told_one=bool(authorization))
        name, _, version = request.path_params["path"].strip("/").partition("/")
        if not request.query_params.get("api-version"):
            return _error(400, "BadParameter", "The parameter api-version is missing.")
        if not _NAME.fullmatch(name) or "/" in version:
            return _error(400, "BadParameter", "The path names no secret.")
        secret = stored.get(name, version)
        if secret is None:
            return _error(404, "SecretNotFound", f"There is no secret {name}, or not this version.")
        if not secret.enabled:
            return _error(403, "Forbidden", f"The secret {name} is disabled.", "SecretDisabled")
        return JSONResponse(_represent(secret, base_url()))

    def common_headers(_sent: Mapping[str, str]) -> dict[str, str]:
        return {"Date": formatdate(stored.now(), usegmt=True), "x-ms-request-id": str(uuid4())}

    async def read(request: Request) -> Response:
        response = answer(request)
        response.headers.update(common_headers(request.headers))
        return response

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = "NotFound" if status == 404 else "BadRequest"
        response = _error(status, code, "Not served here.")
        response.headers.update(common_headers(request.headers))
        return response

    app = Starlette(
        routes=[Route("/secrets/{path:path}", read, methods=["GET"])],
        exception_handlers={HTTPException: refuse},
    )
    app.state.common_headers = common_headers
    return app


def _represent(secret: Secret, base_url: str) -> dict[str, object]:
    content_type = {} if secret.content_type is None else {"contentType": secret.content_type}
    return {
        "value": secret.value,
        **content_type,
        "id": f"{base_url}/secrets/{secret.name}/{secret.version}",
        "attributes": {
            "enabled": secret.enabled,
            "created": secret.created,
            "updated": secret.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": {},
    }


def _domain(host: str) -> tuple[str, str]:
    """The domain that a host is in, and its port; empty for a host that is in none."""
    match = _IN_DOMAIN.fullmatch(host)
    return ("", "") if match is None else (match[1], match[2] or "")


def _unauthorized(domain: str, port: str, *, told_one: bool) -> Response:
    reason = "The token is not for this vault." if told_one else "The request has no token."
    response = _error(401, "Unauthorized", reason)
    failed = ', error="invalid_token", error_description="The token does not hold"'
    # Clients refuse a vault that is not in the domain of its challenge. Those for Python and Go
    # compare it with host and port, but read the scope; the others read the resource.
    asked = (
        f'resource="https://{domain}", scope="https://{domain}{port}/.default"'
        if domain
        else f'resource="{VAULT_AUDIENCES[0]}"'
    )
    challenge = f'Bearer authorization="{_AUTHORITY}", {asked}'
    response.headers["WWW-Authenticate"] = challenge + (failed if told_one else "")
    return response


def _error(status: int, code: str, message: str, inner: str = "") -> Response:
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return JSONResponse({"error": error}, status)
