"""Which web pages may ask, and what their browsers are told (CORS).

A browser sends requests of any page to any address, this machine's too, and asks the server only
whether the page may read the answer. A page of another origin that was not named is refused here
before its request does anything: it may know the default access key as well as everybody.

Browsers tell where a request comes from by ``Origin``, and where they leave that out, as for
images and links, by ``Sec-Fetch-Site``. Programs send neither. A link from another page may be
followed: that reads, and shows the answer to nobody but the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.wire import Answer

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_USUAL_PORT: Final = re.compile(r"http://.*:80|https://.*:443")
_READS: Final = frozenset({"GET", "HEAD"})
_TOLD_BY_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-site"})
_METHODS: Final = "GET, HEAD, PUT, PATCH, DELETE"
_PREFLIGHT_SECONDS: Final = 600
_EXPOSED: Final = (
    "Accept-Ranges, Allow, Content-Range, Date, ETag, Last-Modified, Link, Memento-Datetime,"
    " Operation-Location, Retry-After, retry-after-ms, Sync-Token, WWW-Authenticate,"
    " x-ms-client-request-id, x-ms-correlation-request-id, x-ms-request-id"
)


class Origins:
    """The origins whose pages may ask; an origin is told by the very text that browsers send.

    Raises:
        ValueError: a text is not what a browser sends.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(_checked(origin) for origin in allowed)

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def __contains__(self, origin: object) -> bool:
        return origin in self._allowed

    def let_in(self, scope: Scope, *, links: bool) -> bool:
        """Whether a request comes from no web page, or from one that may ask.

        With ``links`` it may also be that a link of any page was followed.
        """
        if _TOLD_BY_BROWSERS.isdisjoint(name for name, _ in scope["headers"]):
            return True
        headers = Headers(scope=scope)
        own = f"{scope['scheme']}://{headers.get('host', '').lower()}"
        given = headers.getlist("origin")
        if given:
            return all(each == own or each in self._allowed for each in given)
        if headers.get("sec-fetch-site", "none").lower() in ("none", "same-origin"):
            return True
        follows_a_link = headers.get("sec-fetch-mode", "").lower() == "navigate"
        return links and follows_a_link and scope["method"] in _READS


#: What is in a place where no other page may ask.
NO_ORIGINS: Final = Origins()


def shared(app: ASGIApp, origins: Origins) -> ASGIApp:
    """The application whose answers the pages of these origins may read.

    The requests of others are for :meth:`Origins.let_in` to refuse.
    """
    if not origins:
        return app

    async def sharing(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("origin")
        origin = given if given in origins else None

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                answered = MutableHeaders(scope=message)
                if origin is not None:
                    answered["Access-Control-Allow-Origin"] = origin
                    answered["Access-Control-Expose-Headers"] = _EXPOSED
                answered.add_vary_header("Origin")
            await send(message)

        if (
            origin is not None
            and scope["method"] == "OPTIONS"
            and "access-control-request-method" in headers
        ):
            await response(_preflight(headers))(scope, receive, telling)
        else:
            await app(scope, receive, telling)

    return sharing


def _preflight(headers: Mapping[str, str]) -> Answer:
    """The leave to send what was asked for: any header, like the service."""
    told = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
        "Vary": "Access-Control-Request-Headers",
    }
    asked = headers.get("access-control-request-headers")
    if asked is not None:
        told["Access-Control-Allow-Headers"] = asked
    return Answer(204, headers=tuple(told.items()))


def _checked(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin) or _USUAL_PORT.fullmatch(origin):
        raise ValueError(
            f"{origin!r} is not an origin as browsers send it, such as http://localhost:3000: in"
            " lower case, without a path, a slash at the end or the usual port; '*' and 'null' are"
            " not taken, because every page of the web would be let in or can have that origin"
        )
    return origin
