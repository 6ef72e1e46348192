"""What every request goes through before a handler sees it, and every answer on its way out.

A request is routed first, so an unknown path, a wrong method and a bad API version are told to
anybody. Then comes authentication, the size of the body, the hash of the body, and the handler.
Every answer carries a Sync-Token that grows with each mutation, and the request ids.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from appconfig_provider.emulator.access import Access
from appconfig_provider.emulator.auth import (
    SignedRequest,
    Unauthenticated,
    authenticate,
    challenge,
    check_body,
)
from appconfig_provider.emulator.model import MAX_ITEM_BYTES
from appconfig_provider.emulator.settings_api import too_large
from appconfig_provider.emulator.steps import Steps, Turns
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.sync_tokens import sync_token
from appconfig_provider.emulator.tokens import STORE_AUDIENCES, Tokens
from appconfig_provider.emulator.versions import VersionError, negotiate
from appconfig_provider.emulator.wire import (
    CONTROL_PATH,
    NO_FAULTS,
    Answer,
    Call,
    Query,
    Refusal,
    decode,
    explained,
    invalid_argument,
    invalid_version,
    parse_query,
    problem,
)

Handler = Callable[[Store, Call], Answer | Steps[Answer]]
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who sent a request; a signature covers the hash of the body, nothing else does."""

    writes: bool
    signed: bool = False


class Gate:
    """What stands between the network and the handlers."""

    def __init__(self, store: Store, access: Access, now: Callable[[], float]) -> None:
        self._store = store
        self._access = access
        self._now = now
        self._turns = Turns()
        told = access.tokens
        self._tokens = None if told is None else Tokens(STORE_AUDIENCES, told, now)
        self.exception_handlers: dict[int | type[Exception], ExceptionHandler] = {
            HTTPException: self._not_routed,
            Exception: self._failed,
        }

    def route(
        self, path: str, handlers: Mapping[str, Handler], prefix: str = "", since: str = ""
    ) -> Route:
        """A route that gives each method to its handler, and HEAD to that of GET.

        ``prefix`` is what comes before the key in the path, ``since`` the first API version that
        has the route.
        """
        by_method = {"HEAD": handlers["GET"], **handlers} if "GET" in handlers else handlers

        async def endpoint(request: Request) -> Response:
            try:
                call = await self._admit(request, prefix, since)
                answer = by_method[request.method](self._store, call)
                if not isinstance(answer, Answer):
                    answer = await self._turns.do(answer)
            except Refusal as refusal:
                answer = refusal.answer
            return self._response(request, answer)

        return Route(path, endpoint, methods=list(by_method))

    async def _admit(self, request: Request, prefix: str, since: str) -> Call:
        query = parse_query(request.scope["query_string"])
        version = _version(request, query, since)
        try:
            caller = self._authenticate(request)
            body = await read_body(request)
            if caller.signed:
                check_body(body, request.headers)
        except Unauthenticated as error:
            offered = ("WWW-Authenticate", self._challenge(request, error))
            raise Refusal(Answer(401, headers=(offered,))) from None
        if not caller.writes and request.method not in _READS:
            raise Refusal(Answer(403))
        return Call(
            method=request.method,
            path=quote(request.scope["path"]),
            query=query,
            version=version,
            headers=request.headers,
            body=body,
            key=_key(request, prefix),
            target=_target(request).decode("latin-1"),
            origin=_origin(request),
        )

    def _authenticate(self, request: Request) -> _Caller:
        anonymous = self._access.anonymous
        if anonymous is not None and "authorization" not in request.headers:
            return _Caller(writes=anonymous == "owner")
        if self._takes_tokens(request):
            given, host = (request.headers.get(name, "") for name in ("authorization", "host"))
            if self._tokens is not None and self._tokens.accept(given, host):
                return _Caller(writes=True)
        signed = SignedRequest(request.method, _target(request), request.headers)
        key = authenticate(signed, self._access.access_keys, self._now())
        return _Caller(writes=not key.read_only, signed=True)

    def _challenge(self, request: Request, error: Unauthenticated) -> str:
        offered = [error.challenge]
        if self._takes_tokens(request):
            given = request.headers.get("authorization", "").lower()
            failed = "Authorization token failed validation" if given.startswith("bearer") else None
            offered.append(challenge("Bearer", failed))
        if self._access.anonymous is not None:
            offered.append("Anonymous")
        return ", ".join(offered)

    def _takes_tokens(self, request: Request) -> bool:
        # A token that travels in the clear is everybody's.
        return self._tokens is not None and request.scope["scheme"] == "https"

    async def _not_routed(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if request.scope["path"].startswith(CONTROL_PATH):
            detail = "Faults are set in a store that was started with --control."
            return self._response(
                request, problem(404, "not-found", NO_FAULTS, detail=detail).answer
            )
        headers = tuple((error.headers or {}).items())
        return self._response(request, Answer(error.status_code, headers=headers))

    async def _failed(self, request: Request, error: Exception) -> Response:
        answer = problem(500, "server-error", "The emulator failed", detail=repr(error)).answer
        return self._response(request, answer)

    def _response(self, request: Request, answer: Answer) -> Response:
        if "authorization" not in request.headers:
            answer = explained(answer)
        response = Response(answer.body, answer.status)
        for name, value in (*answer.headers, *self.common_headers(request.headers).items()):
            response.headers[name] = value
        return response

    def common_headers(self, sent: Mapping[str, str]) -> dict[str, str]:
        """The headers of every answer to a request that came with some headers."""
        request_id = str(uuid.uuid4())
        headers = {
            "Date": formatdate(self._now(), usegmt=True),
            "Sync-Token": sync_token(self._store.mutations),
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": sent.get("x-ms-correlation-request-id", request_id),
        }
        if "x-ms-return-client-request-id" in sent and "x-ms-client-request-id" in sent:
            headers["x-ms-client-request-id"] = sent["x-ms-client-request-id"]
        return headers


def _origin(request: Request) -> str:
    """The address that a client knows the store by."""
    return f"{request.scope['scheme']}://{request.headers.get('host', '')}"


def _version(request: Request, query: Query, since: str) -> str:
    try:
        return negotiate(query.all("api-version"), since)
    except VersionError as error:
        target = _target(request).decode("ascii", "replace")
        raise invalid_version(error.title, error.given, target) from None


def _key(request: Request, prefix: str) -> str:
    """The key in the path: its percent-encoding is undone once, slashes and all."""
    if not prefix:
        return ""
    called = "name" if prefix == "/snapshots/" else "key"
    key = decode(_raw_path(request), called).removeprefix(prefix)
    if not key:
        raise invalid_argument(called)
    return key


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        Refusal: 413, it is larger than anything that can be stored; 400, its sender has gone.
    """
    if int(request.headers.get("content-length", 0)) > MAX_ITEM_BYTES:
        raise too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_ITEM_BYTES:
                raise too_large()
    except ClientDisconnect:
        raise Refusal(Answer(400)) from None
    return bytes(body)


def _raw_path(request: Request) -> bytes:
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return raw


def _target(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return _raw_path(request) + (b"?" + query if query else b"")
