"""The web application: routing, and what every request goes through.

A request is routed first, so an unknown path, a wrong method and a bad API version are told to
anybody. Then comes authentication, the size of the body, the hash of the body, and the handler.
Every answer carries a Sync-Token that grows with each mutation, and the request ids.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from appconfig_provider.emulator.auth import (
    AccessKey,
    SignedRequest,
    Unauthenticated,
    authenticate,
    check_body,
)
from appconfig_provider.emulator.listings_api import list_keys, list_labels, list_settings
from appconfig_provider.emulator.model import MAX_ITEM_BYTES
from appconfig_provider.emulator.settings_api import (
    delete_setting,
    read_setting,
    too_large,
    write_setting,
)
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.versions import VersionError, negotiate
from appconfig_provider.emulator.wire import (
    Answer,
    Call,
    Query,
    Refusal,
    decode,
    invalid_argument,
    parse_query,
    problem,
)

Handler = Callable[[Store, Call], Answer]
_ITEM_PATH: Final = "/kv/"
_READS: Final = frozenset({"GET", "HEAD"})


class _KeyConvertor(Convertor[str]):
    """The rest of a path, whatever it is made of."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("appconfig_key", _KeyConvertor())


def create_app(
    store: Store,
    access_keys: Sequence[AccessKey],
    *,
    page_size: int = 100,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """The emulator as an ASGI application over a store.

    ``now`` gives seconds since 1970; requests dated more than 15 minutes off are refused.

    Raises:
        ValueError: the page size is not positive.
    """
    if page_size < 1:
        raise ValueError("a page has at least one item")
    gate = _Gate(store, tuple(access_keys), now)
    reads = {"GET": read_setting, "HEAD": read_setting}
    items: dict[str, Handler] = {**reads, "PUT": write_setting, "DELETE": delete_setting}
    lists = {"/kv": list_settings, "/keys": list_keys, "/labels": list_labels}
    routes = [gate.route("/kv/{key:appconfig_key}", items)]
    for path, handler in lists.items():
        routes.append(
            gate.route(path, dict.fromkeys(_READS, partial(handler, page_size=page_size)))
        )
    app = Starlette(routes=routes, exception_handlers=gate.exception_handlers)
    app.router.redirect_slashes = False
    return app


class _Gate:
    """What stands between the network and the handlers."""

    def __init__(
        self, store: Store, access_keys: Sequence[AccessKey], now: Callable[[], float]
    ) -> None:
        self._store = store
        self._access_keys = access_keys
        self._now = now
        self.exception_handlers: dict[int | type[Exception], ExceptionHandler] = {
            HTTPException: self._not_routed,
            Exception: self._failed,
        }

    def route(self, path: str, handlers: dict[str, Handler]) -> Route:
        """A route that gives each method to its handler."""

        async def endpoint(request: Request) -> Response:
            try:
                answer = handlers[request.method](self._store, await self._admit(request))
            except Refusal as refusal:
                answer = refusal.answer
            return self._response(request, answer)

        return Route(path, endpoint, methods=list(handlers))

    async def _admit(self, request: Request) -> Call:
        query = parse_query(request.scope["query_string"])
        version = _version(request, query)
        try:
            key = self._authenticate(request)
            body = await _read_body(request)
            check_body(body, request.headers)
        except Unauthenticated as error:
            challenge = ("WWW-Authenticate", error.challenge)
            raise Refusal(Answer(401, headers=(challenge,))) from None
        if key.read_only and request.method not in _READS:
            raise Refusal(Answer(403))
        return Call(
            method=request.method,
            path=quote(request.scope["path"]),
            query=query,
            version=version,
            headers=request.headers,
            body=body,
            key=_key(request),
        )

    def _authenticate(self, request: Request) -> AccessKey:
        signed = SignedRequest(request.method, _target(request), request.headers)
        return authenticate(signed, self._access_keys, self._now())

    async def _not_routed(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        headers = tuple((error.headers or {}).items())
        return self._response(request, Answer(error.status_code, headers=headers))

    async def _failed(self, _request: Request, error: Exception) -> Response:
        answer = problem(500, "server-error", "The emulator failed", detail=repr(error)).answer
        return Response(answer.body, answer.status, dict(answer.headers))

    def _response(self, request: Request, answer: Answer) -> Response:
        request_id = str(uuid.uuid4())
        sent = request.headers
        response = Response(answer.body, answer.status)
        for name, value in answer.headers:
            response.headers[name] = value
        response.headers["Sync-Token"] = _sync_token(self._store.mutations)
        response.headers["x-ms-request-id"] = request_id
        correlation_id = sent.get("x-ms-correlation-request-id", request_id)
        response.headers["x-ms-correlation-request-id"] = correlation_id
        if "x-ms-return-client-request-id" in sent and "x-ms-client-request-id" in sent:
            response.headers["x-ms-client-request-id"] = sent["x-ms-client-request-id"]
        return response


def _version(request: Request, query: Query) -> str:
    try:
        return negotiate(query.all("api-version"))
    except VersionError as error:
        where = _target(request).decode("ascii", "replace")
        detail = f"The request {where} names the version '{error.given}'."
        raise problem(400, "invalid-argument", error.title, "api-version", detail) from None


def _key(request: Request) -> str:
    """The key in the path: its percent-encoding is undone once, slashes and all."""
    path: str = request.scope["path"]
    if not path.startswith(_ITEM_PATH):
        return ""
    key = decode(_raw_path(request), "key").removeprefix(_ITEM_PATH)
    if not key:
        raise invalid_argument("key")
    return key


async def _read_body(request: Request) -> bytes:
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


def _sync_token(mutations: int) -> str:
    return f"kv={base64.b64encode(str(mutations).encode()).decode()};sn={mutations}"
