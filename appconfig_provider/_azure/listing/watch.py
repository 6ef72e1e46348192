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
    session: Session, watch: tuple[WatchKey, ...], previous: tuple[Sentinel, ...] | None
) -> Steps[tuple[Sentinel, ...]]:
    """Read every watched key in one batch; keys that have not moved keep what was known of them.

    A key that is older than what was known has not moved: the endpoint lags behind. But where
    another one has, the data of this endpoint will be loaded, which lacks what belongs to the newer
    sentinel. Then all are taken as they were answered, and the next check finds what is missing.
    """
    known = previous if previous is not None else (UNSEEN,) * len(watch)
    questions = [
        _read_sentinel(session, key, sentinel) for key, sentinel in zip(watch, known, strict=True)
    ]
    seen = yield from gather(*questions)
    newer = tuple(map(_newer, seen, known))
    return newer if newer == known else tuple(map(_remembering, seen, known))


@plan
def _read_sentinel(session: Session, key: WatchKey, previous: Sentinel) -> Steps[Sentinel]:
    target = key_target(key)
    response = yield from read(session, target, previous.etag, READ_OR_ABSENT)
    if response.status == 304:
        return previous
    if response.status == 404:
        return previous if previous.etag is None else UNSEEN
    try:
        return read_sentinel(response, target)
    except Malformed as error:
        raise RequestFailed(Kind.MALFORMED, session.origin, str(error)) from error


def _newer(seen: Sentinel, previous: Sentinel) -> Sentinel:
    """Return what was seen, unless it is the previous one, or older.

    An answer older than the previous one comes from a replica that lags behind; taking it for a
    change would roll the configuration back, and then forth again.
    """
    if seen.etag == previous.etag:
        return previous
    if previous.modified and seen.modified and seen.modified < previous.modified:
        return previous
    if seen.etag in previous.before and _same_second(seen, previous):
        return previous
    return seen


def _remembering(seen: Sentinel, previous: Sentinel) -> Sentinel:
    """Return what was seen; it knows which ETags came before it within its own second.

    The service dates by whole seconds, so within one only this tells a replica that lags behind.
    """
    if seen.etag == previous.etag or previous.etag is None or not _same_second(seen, previous):
        return seen
    return seen._replace(before=(*previous.before, previous.etag)[-MAX_REMEMBERED:])


def _same_second(one: Sentinel, other: Sentinel) -> bool:
    return one.modified is not None and one.modified == other.modified
