"""A simple state, for a source whose whole document is the answer to one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._live.source import LiveOptions, Outcome
from appconfig_provider._live.standing import Attempt, Instant, Standing
from appconfig_provider._plan import Invoke, Steps, perform, plan
from appconfig_provider.models import Explanation, JsonValue
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import ConfigurationSnapshot, Provenance, compare, make_snapshot
from appconfig_provider.trouble import EngineError, describe, public


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The values of one answer, and what is known of the endpoints and the last attempt."""

    values: Mapping[str, JsonValue] = field(repr=False)
    snapshot: ConfigurationSnapshot
    etag: str | None = None
    endpoints: Endpoints
    due: float
    """When it is checked again, on the monotonic clock."""
    attempt: Attempt

    @property
    def standing(self) -> Standing:
        """How the source is doing."""
        error = self.attempt.error
        free = self.endpoints.free_at
        due = max(self.due, free)
        return Standing(self.attempt, due, free, () if error is None else (error,))


class DocumentSource:
    """What sources of a `Document` have in common: no pushed requests, no cache, no log lines."""

    options: LiveOptions

    def with_requests(self, state: Document, _request: None, /) -> Document:
        """Return the state as it is."""
        return state

    def rearmed(self, state: Document) -> Document:
        """Return the state with its timer started anew."""
        return replace(state, due=self.options.clock.monotonic() + self.options.interval)

    def keep(self, _state: Document, /) -> None:
        """Keep nothing for the next run."""

    def log_start(self, state: Document, requests: int) -> None:
        """Log nothing."""

    def log_change(self, state: Document, before: Document) -> None:
        """Log nothing: the runtime logs which keys changed."""


def first_document(
    values: Mapping[str, object],
    etag: str | None,
    endpoints: Endpoints,
    now: Instant,
    interval: float,
) -> Document:
    """Return the state after the first load."""
    frozen, snapshot = _read(values, 1, now)
    return Document(
        values=frozen,
        snapshot=snapshot,
        etag=etag,
        endpoints=endpoints,
        due=now.monotonic + interval,
        attempt=Attempt(now, now, None, endpoints.last, now),
    )


def confirmed(before: Document, endpoints: Endpoints, now: Instant, interval: float) -> Document:
    """Return the state after an answer that the document has not changed."""
    attempt = Attempt(now, now, None, endpoints.last, now)
    return replace(before, endpoints=endpoints, due=now.monotonic + interval, attempt=attempt)


@plan
def changed(
    before: Document,
    values: Mapping[str, object],
    etag: str | None,
    options: LiveOptions,
    *,
    reason: str,
) -> Steps[Outcome[Document]]:
    """Return the outcome when the document has changed; `before` comes from `confirmed`.

    Where a binding refuses it, the old values stay, with the ETag that they came with.
    """
    instant = before.attempt.answered
    if instant is None:
        raise AssertionError("a document that was read was answered")
    frozen, snapshot = _read(values, before.snapshot.version + 1, instant)
    try:
        for check in options.bindings.checks(snapshot, before.snapshot):
            yield from perform(Invoke(check))
    except Exception as error:
        unfit = public(error)
        refused = replace(before, attempt=replace(before.attempt, error=unfit))
        return Outcome(refused, None, unfit, describe(error))
    changes = compare(before.snapshot, snapshot, reason=reason)
    return Outcome(replace(before, values=frozen, snapshot=snapshot, etag=etag), changes)


def failed(
    before: Document, failure: EngineError, endpoints: Endpoints, now: Instant, interval: float
) -> Outcome[Document]:
    """Return the outcome when no endpoint answered; the old values stay."""
    old, error = before.attempt, public(failure)
    attempt = Attempt(now, old.success, error, old.endpoint, old.answered)
    state = replace(before, endpoints=endpoints, due=now.monotonic + interval, attempt=attempt)
    return Outcome(state, None, error, describe(failure))


def _read(
    values: Mapping[str, object], version: int, now: Instant
) -> tuple[dict[str, JsonValue], ConfigurationSnapshot]:
    frozen = {key: read_only(value) for key, value in values.items()}
    loaded_at = datetime.fromtimestamp(now.wall, timezone.utc)
    return frozen, make_snapshot(frozen, Provenance(version, loaded_at), explain=_unexplained)


def _unexplained(key: str) -> Explanation:
    raise KeyError(key)
