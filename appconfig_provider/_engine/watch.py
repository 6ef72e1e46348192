"""Asking the sentinels whether anything moved."""

from __future__ import annotations

from appconfig_provider._engine.context import Sentinel
from appconfig_provider._plan import Response, Steps, plan, together
from appconfig_provider._rest.exchange import READ_OR_ABSENT, Session, read
from appconfig_provider._rest.requests import key_target
from appconfig_provider._rest.responses import etag_of, read_modified
from appconfig_provider.models import WatchKey

UNSEEN = Sentinel(None)


@plan
def read_sentinels(
    session: Session, watch: tuple[WatchKey, ...], held: tuple[Sentinel, ...] | None
) -> Steps[tuple[Sentinel, ...]]:
    """Read every watched key in one batch; keys that have not moved keep what is held of them."""
    known = held if held is not None else (UNSEEN,) * len(watch)
    questions = [
        _read_sentinel(session, key, sentinel) for key, sentinel in zip(watch, known, strict=True)
    ]
    return (yield from together(questions))


@plan
def _read_sentinel(session: Session, key: WatchKey, held: Sentinel) -> Steps[Sentinel]:
    response = yield from read(session, key_target(key), held.etag, READ_OR_ABSENT)
    return _seen(response, held)


def _seen(response: Response, held: Sentinel) -> Sentinel:
    """Return the sentinel an answer describes.

    An answer older than what is held comes from a replica that lags behind; taking it for a change
    would roll the configuration back, and then forth again.
    """
    if response.status == 304:
        return held
    if response.status == 404:
        return held if held.etag is None else UNSEEN
    etag, modified = etag_of(response), read_modified(response)
    if etag == held.etag:
        return held
    if held.modified and modified and modified < held.modified:
        return held
    return Sentinel(etag, modified)
