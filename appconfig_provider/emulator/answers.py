"""Answers as the web framework sends them."""

from __future__ import annotations

from starlette.responses import Response

from appconfig_provider.emulator.wire import Answer


def response(answer: Answer) -> Response:
    """The response for an answer."""
    return Response(answer.body, answer.status, dict(answer.headers))
