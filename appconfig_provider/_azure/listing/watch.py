"""Reading the sentinels, and deciding whether one has changed."""

from __future__ import annotations

from appconfig_provider._azure.rest.requests import key_target
from appconfig_provider._azure.rest.responses import Malformed, Sentinel, read_sentinel
from appconfig_provider._fetch.exchange import READ_OR_ABSENT, Session, read
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Steps, gather, plan
from appconfig_provider.models import WatchKey

UNSEEN = Sentinel(None)

MAX_REMEMBERED = 16
"""How many earlier ETags of the same second are remembered. A deployment writes its sentinel once,
so few are enough."""


@plan
def read_sentinels(
    session: Session, watch: tuple[WatchKey, ...], previous: tuple[Sentinel, ...] | None
) -> Steps[tuple[Sentinel, ...]]:
    """Read every watched key in one batch; one that has not changed keeps its `previous` record.

    A key that is older than its previous record has not changed: the endpoint lags behind. But if
    another key has changed, everything is loaded from this endpoint, without the data that belongs
    to the newer record. Then all keys are returned as they were answered, so that a later check
    sees the newer one as a change again.
    """
    known = previous if previous is not None else (UNSEEN,) * len(watch)
    seen = yield from answered_sentinels(session, watch, known)
    newer = tuple(map(_newer, seen, known))
    return newer if newer == known else tuple(map(_remembering, seen, known))


@plan
def answered_sentinels(
    session: Session, watch: tuple[WatchKey, ...], known: tuple[Sentinel, ...]
) -> Steps[tuple[Sentinel, ...]]:
    """Read every watched key in one batch, and return all as they were answered, older or newer.

    This is for whoever then reads the data from the same endpoint, whatever the sentinels say: with
    an older sentinel it may answer with older data. Only the older sentinel lets a later check see
    the newer data as a change. So they remember no ETags of others either.
    """
    questions = [
        _read_sentinel(session, key, sentinel) for key, sentinel in zip(watch, known, strict=True)
    ]
    return (yield from gather(*questions))


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
    """Return `seen` if it is newer than `previous`, else `previous`.

    An older answer comes from a replica that lags behind. If it counted as a change, the
    configuration would go back to old values, and then to the new ones again.
    """
    if seen.etag == previous.etag:
        return previous
    if previous.modified and seen.modified and seen.modified < previous.modified:
        return previous
    if seen.etag in previous.before and _same_second(seen, previous):
        return previous
    return seen


def _remembering(seen: Sentinel, previous: Sentinel) -> Sentinel:
    """Return `seen` with the ETags that the key had earlier in the same second.

    The service's dates are whole seconds. So within one second only the earlier ETags show that an
    answer comes from a replica that lags behind.
    """
    if seen.etag == previous.etag or previous.etag is None or not _same_second(seen, previous):
        return seen
    return seen._replace(before=(*previous.before, previous.etag)[-MAX_REMEMBERED:])


def _same_second(one: Sentinel, other: Sentinel) -> bool:
    return one.modified is not None and one.modified == other.modified
