"""The routes of ConfigCat's CDN: the files of a config, by SDK key, for who knows the key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.configcat_configs import Configs, File
from appconfig_provider.emulator.configcat_forms import V5, V6
from appconfig_provider.emulator.wire import Answer, Refusal, decode, with_headers

_PREFIX: Final = "/configuration-files/"
_TAG: Final = re.compile(r'"([^"]*)"')
_ZIPPED: Final = "-gzip"
_UNKNOWN_FILE: Final = f"The files of a config are {V5} and {V6}, at {_PREFIX}SDK-KEY/."
_UNKNOWN_KEY: Final = "No config is served to this SDK key."
_OTHER_FILE: Final = "This SDK key has no {}, it has {}."


def configcat_routes(configs: Configs, now: Callable[[], float]) -> list[Route]:
    """The routes that serve configs; ``now`` gives seconds since 1970."""

    async def answer(request: Request) -> Response:
        try:
            answered = _answer(configs, request)
        except Refusal as refusal:
            answered = refusal.answer
        return response(with_headers(answered, {"Date": _date(now)}))

    return [Route(f"{_PREFIX}{{path:path}}", answer, methods=["GET"])]


def create_configcat(configs: Configs, now: Callable[[], float]) -> Starlette:
    """A CDN with nothing beside it, as an ASGI application.

    Its ``state.common_headers`` gives the headers that every answer to a request has.
    """

    def common_headers(_sent: Mapping[str, str]) -> dict[str, str]:
        return {"Date": _date(now)}

    app = Starlette(routes=configcat_routes(configs, now))
    app.router.redirect_slashes = False
    app.state.common_headers = common_headers
    return app


def _date(now: Callable[[], float]) -> str:
    return formatdate(now(), usegmt=True)


def _answer(configs: Configs, request: Request) -> Answer:
    path = decode(request.scope["raw_path"], "path").removeprefix(_PREFIX)
    sdk_key, _, name = path.rpartition("/")
    if not sdk_key or name not in (V5, V6):
        return _not_found(_UNKNOWN_FILE)
    file = configs.file(sdk_key, name)
    if file is None:
        other = V6 if name == V5 else V5
        known = configs.file(sdk_key, other) is not None
        return _not_found(_OTHER_FILE.format(name, other) if known else _UNKNOWN_KEY)
    return _sent(file, request.headers)


def _sent(file: File, sent: Mapping[str, str]) -> Answer:
    zips = _takes_gzip(sent.get("accept-encoding", ""))
    # A strong ETag is that of some bytes, so the two encodings have two of them.
    tag = file.tag + (_ZIPPED if zips else "")
    headers = (("ETag", f'"{tag}"'), ("Vary", "Accept-Encoding"))
    if _knows(sent.get("if-none-match", ""), file.tag):
        return Answer(304, headers=headers)
    body = file.zipped() if zips else file.body
    encoding = (("Content-Encoding", "gzip"),) if zips else ()
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Answer(200, body, (kind, *encoding, *headers))


def _knows(condition: str, tag: str) -> bool:
    """Whether who sent If-None-Match has the file; its encoding, and W/, make no difference."""
    known = [each.removesuffix(_ZIPPED) for each in _TAG.findall(condition)]
    return tag in known or condition.strip() == "*"


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def _not_found(why: str) -> Answer:
    return Answer(404, why.encode(), (("Content-Type", "text/plain; charset=utf-8"),))
