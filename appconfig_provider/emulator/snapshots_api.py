"""``/snapshots`` and ``/operations``: taking, reading, archiving and recovering snapshots.

A snapshot is ready as soon as it is asked for. The answer to its creation still says that it is
being provisioned and names the operation to ask about it, because that is what clients go by.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from appconfig_provider.emulator.model import InvalidDraft
from appconfig_provider.emulator.paging import (
    conditions_of,
    decode_position,
    following,
    link_header,
    next_link,
)
from appconfig_provider.emulator.queries import Position
from appconfig_provider.emulator.snapshot_model import (
    ARCHIVED,
    DEFAULT_RETENTION,
    FAILED,
    KEY,
    PROVISIONING,
    READY,
    STATUSES,
    Snapshot,
    SnapshotDraft,
    SnapshotFilter,
)
from appconfig_provider.emulator.snapshots import SnapshotExists, SnapshotFailed
from appconfig_provider.emulator.steps import Steps
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.versions import DESCRIPTIONS, TAG_FILTERS
from appconfig_provider.emulator.wire import (
    Answer,
    Call,
    Refusal,
    answer_json,
    answer_page,
    choose,
    invalid_argument,
    name_filter,
    problem,
    read_object,
    read_tags,
    read_text,
    retry_after,
    to_json,
)

_SOON = tuple(retry_after(0.001).items())


def list_snapshots(store: Store, call: Call, page_size: int) -> Answer:
    """Answer GET and HEAD of ``/snapshots``: one page of snapshots."""
    position = decode_position(call.query.first("after"))
    snapshots = store.snapshots.page(
        name_filter(call, "name", "name"),
        _statuses(call),
        None if position is None else position.key,
        page_size,
    )
    positions = [Position(snapshot.name) for snapshot in snapshots]
    link = next_link(call, following(positions, page_size))
    items = (_represent(call, snapshot) for snapshot in snapshots)
    return answer_page("snapshotset", items, {"@nextLink": link}, link_header(link))


def read_snapshot(store: Store, call: Call) -> Answer:
    """Answer GET and HEAD: the snapshot, 304 or 412 by condition, 404 when it is not there."""
    snapshot = store.snapshots.get(call.key)
    if snapshot is None:
        return Answer(404)
    conditions = conditions_of(call.headers)
    if conditions.fails(snapshot.etag):
        return Answer(conditions.failure, headers=tuple(_headers(call, snapshot).items()))
    return _answer(call, snapshot)


def create_snapshot(store: Store, call: Call) -> Steps[Answer]:
    """Answer PUT: 201 with the snapshot to be and its operation, or 409 when the name is taken."""
    try:
        snapshot = yield from store.snapshots.creation(_draft(call))
    except InvalidDraft as error:
        raise invalid_argument(error.field, error.reason) from None
    except SnapshotExists:
        raise problem(409, "already-exists", "The resource already exists.") from None
    pending = replace(snapshot, status=PROVISIONING, size=0, items_count=0)
    answer = _answer(call, pending)
    named = f"snapshot={quote(call.key, safe='')}&api-version={call.version}"
    operation = ("Operation-Location", f"{call.origin}/operations?{named}")
    return replace(answer, status=201, headers=(*answer.headers, operation, *_SOON))


def change_snapshot(store: Store, call: Call) -> Answer:
    """Answer PATCH: the snapshot, archived or recovered."""
    status = read_text(read_object(call), "status")
    if status not in (READY, ARCHIVED):
        raise invalid_argument("status", f"It can be set to '{READY}' and '{ARCHIVED}'.")
    with store.exclusive():
        present = store.snapshots.get(call.key)
        if conditions_of(call.headers).fails(None if present is None else present.etag):
            raise Refusal(Answer(412 if present else 404))
        try:
            changed = store.snapshots.set_status(call.key, status)
        except SnapshotFailed:
            detail = (
                "The target resource is not in a valid state to perform the requested operation."
            )
            title = "Target resource state invalid."
            raise problem(409, "invalid-state", title, detail=detail) from None
    return Answer(404) if changed is None else _answer(call, changed)


def read_operation(store: Store, call: Call) -> Answer:
    """Answer GET of ``/operations``: how the creation of a snapshot went."""
    name = call.query.first("snapshot")
    if not name:
        raise invalid_argument("snapshot")
    snapshot = store.snapshots.get(name)
    if snapshot is None:
        return Answer(404)
    failed = snapshot.status == FAILED
    quota = {"code": "QuotaExceeded", "message": "The snapshot is larger than 1 MB."}
    content = {
        "id": base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("="),
        "status": "Failed" if failed else "Succeeded",
        "error": quota if failed else None,
    }
    media_type = ("Content-Type", "application/json; charset=utf-8")
    return Answer(200, to_json(content).encode(), (media_type,))


def _statuses(call: Call) -> tuple[str, ...]:
    text = call.query.first("status") or "*"
    if text == "*":
        return STATUSES
    wanted = tuple(text.split(","))
    if not set(wanted) <= set(STATUSES):
        raise invalid_argument("status", f"The states are {', '.join(STATUSES)}.")
    return tuple(set(wanted))


def _draft(call: Call) -> SnapshotDraft:
    content = read_object(call)
    described = call.version >= DESCRIPTIONS
    retention = content.get("retention_period")
    if retention is not None and type(retention) is not int:
        raise invalid_argument("retention_period")
    return SnapshotDraft(
        name=call.key,
        filters=_filters(call, content.get("filters")),
        composition_type=read_text(content, "composition_type") or KEY,
        retention_period=DEFAULT_RETENTION if retention is None else retention,
        tags=read_tags(content, "tags[{}].value"),
        description=read_text(content, "description") if described else None,
    )


def _filters(call: Call, content: Any) -> tuple[SnapshotFilter, ...]:
    if not isinstance(content, list):
        raise invalid_argument("filters")
    return tuple(_filter(call, item, f"filters[{place}]") for place, item in enumerate(content))


def _filter(call: Call, content: Any, place: str) -> SnapshotFilter:
    if not isinstance(content, dict):
        raise invalid_argument(place)
    key, label = content.get("key"), content.get("label")
    if not isinstance(key, str):
        raise invalid_argument(f"{place}.key")
    if not isinstance(label, str | None):
        raise invalid_argument(f"{place}.label")
    tags = (content.get("tags") or []) if call.version >= TAG_FILTERS else []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise invalid_argument(f"{place}.tags")
    return SnapshotFilter(key, label, tuple(tags))


def _represent(call: Call, snapshot: Snapshot) -> str:
    fields = _fields(call, snapshot)
    return to_json({name: fields[name] for name in choose(call, tuple(fields))})


def _fields(call: Call, snapshot: Snapshot) -> Mapping[str, object]:
    tagged = call.version >= TAG_FILTERS
    filters = [
        {"key": f.key, "label": f.label, **({"tags": list(f.tags)} if tagged else {})}
        for f in snapshot.filters
    ]
    fields: dict[str, object] = {
        "etag": snapshot.etag,
        "name": snapshot.name,
        "status": snapshot.status,
        "filters": filters,
        "composition_type": snapshot.composition_type,
        "created": snapshot.created.isoformat(timespec="seconds"),
        "size": snapshot.size,
        "items_count": snapshot.items_count,
        "tags": dict(snapshot.tags),
        "retention_period": snapshot.retention_period,
    }
    if snapshot.expires is not None:
        fields["expires"] = snapshot.expires.isoformat(timespec="seconds")
    if call.version >= DESCRIPTIONS:
        fields["description"] = snapshot.description
    return fields


def _answer(call: Call, snapshot: Snapshot) -> Answer:
    return answer_json("snapshot", _represent(call, snapshot), _headers(call, snapshot))


def _headers(call: Call, snapshot: Snapshot) -> Mapping[str, str]:
    items = f"/kv?snapshot={quote(snapshot.name, safe='')}&api-version={call.version}"
    return {
        "ETag": f'"{snapshot.etag}"',
        # Its content never changes; to archive it is no change of it.
        "Last-Modified": format_datetime(snapshot.created, usegmt=True),
        "Link": f'<{items}>; rel="items"',
    }
