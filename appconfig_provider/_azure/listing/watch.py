"""Asking the sentinels whether anything moved."""

from __future__ import annotations

from appconfig_provider._azure.rest.requests import key_target
from appconfig_provider._azure.rest.responses import Malformed, Sentinel, read_sentinel
from appconfig_provider._fetch.exchange import READ_OR_ABSENT, Session, read
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Steps, gather, plan
from appconfig_provider.models import WatchKey

UNSEEN = Sentinel(None)

MAX_REMEMBERED = 16
"""ETags of one second that are remembered; a deployment writes its sentinel once."""


@plan
def read_sentinels(
    session: Session, watch: tuple[WatchKey, ...], held: tuple[Sentinel, ...] | None
) -> Steps[tuple[Sentinel, ...]]:
    """Read every watched key in one batch; keys that have not moved keep what is held of them.

    A key that is older than what is held has not moved: the endpoint lags behind. But where
    another one has, the data of this endpoint will be loaded, which lacks what belongs to the newer
    sentinel. Then all are taken as they were answered, and the next check finds what is missing.
    """
    known = held if held is not None else (UNSEEN,) * len(watch)
    questions = [
        _read_sentinel(session, key, sentinel) for key, sentinel in zip(watch, known, strict=True)
    ]
    seen = yield from gather(*questions)
    newer = tuple(map(_newer, seen, known))
    return newer if newer == known else tuple(map(_remembering, seen, known))


@plan
def _read_sentinel(session: Session, key: WatchKey, held: Sentinel) -> Steps[Sentinel]:
    target = key_target(key)
    response = yield from read(session, target, held.etag, READ_OR_ABSENT)
    if response.status == 304:
        return held
    if response.status == 404:
        return held if held.etag is None else UNSEEN
    try:
        return read_sentinel(response, target)
    except Malformed as error:
        raise RequestFailed(Kind.MALFORMED, session.origin, str(error)) from error


def _newer(seen: Sentinel, held: Sentinel) -> Sentinel:
    """Return what was seen, unless it is what is held, or older.

    An answer older than what is held comes from a replica that lags behind; taking it for a change
    would roll the configuration back, and then forth again.
    """
    if seen.etag == held.etag:
        return held
    if held.modified and seen.modified and seen.modified < held.modified:
        return held
    if seen.etag in held.before and _same_second(seen, held):
        return held
    return seen


def _remembering(seen: Sentinel, held: Sentinel) -> Sentinel:
    """Return what was seen; it knows which ETags were held before within its own second.

    The service dates by whole seconds, so within one only this tells a replica that lags behind.
    """
    if seen.etag == held.etag or held.etag is None or not _same_second(seen, held):
        return seen
    return seen._replace(before=(*held.before, held.etag)[-MAX_REMEMBERED:])


def _same_second(one: Sentinel, other: Sentinel) -> bool:
    return one.modified is not None and one.modified == other.modified
