"""``/kv``, ``/revisions``, ``/keys`` and ``/labels``: listings in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from appconfig_provider.emulator.filters import FilterError, parse_tag_filters
from appconfig_provider.emulator.model import Setting
from appconfig_provider.emulator.paging import (
    conditions_of,
    decode_position,
    following,
    link_header,
    next_link,
    page_etag,
)
from appconfig_provider.emulator.queries import Position, Selection
from appconfig_provider.emulator.ranges import (
    ACCEPT_RANGES,
    Range,
    parse_range,
    unsatisfiable,
)
from appconfig_provider.emulator.readings import Readings
from appconfig_provider.emulator.steps import Steps
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.time_travel import requested_instant, with_instant
from appconfig_provider.emulator.versions import PAGE_ETAGS, SNAPSHOTS, TAG_FILTERS
from appconfig_provider.emulator.wire import (
    Answer,
    Call,
    answer_page,
    choose,
    invalid_argument,
    invalid_filter,
    invalid_version,
    name_filter,
    represent,
    selected_fields,
    to_json,
    with_headers,
)


def list_settings(store: Store, call: Call, page_size: int) -> Steps[Answer]:
    """Answer GET and HEAD of ``/kv``: one page of settings, or 304 or 412 by its ETag."""
    snapshot = call.query.first("snapshot")
    if snapshot is not None:
        if call.version < SNAPSHOTS:
            raise invalid_version("Unsupported API version", call.version, call.target)
        return _list_snapshot(store, call, snapshot, page_size)
    instant = requested_instant(store, call)
    settings = yield from store.at(instant).walks.page(_selection(call), _after(call), page_size)
    return with_instant(call, instant, _settings(call, settings, instant, page_size))


def list_revisions(store: Store, call: Call, page_size: int) -> Steps[Answer]:
    """Answer GET and HEAD of ``/revisions``: a page or a range of all that was written."""
    instant = requested_instant(store, call)
    wanted = parse_range(call)
    if wanted is None:
        answer = yield from _history(store.at(instant), call, page_size)
    else:
        answer = yield from _part_of_history(store.at(instant), call, wanted, page_size)
    return with_instant(call, instant, answer)


def list_keys(store: Store, call: Call, page_size: int) -> Steps[Answer]:
    """Answer GET and HEAD of ``/keys``: one page of distinct keys."""
    instant = requested_instant(store, call)
    wanted = name_filter(call, "name", "key")
    names = yield from store.at(instant).walks.keys(wanted, _after_name(call), page_size)
    return with_instant(call, instant, _names(call, "keyset", names, instant, page_size))


def list_labels(store: Store, call: Call, page_size: int) -> Steps[Answer]:
    """Answer GET and HEAD of ``/labels``: one page of distinct labels, "no label" first."""
    instant = requested_instant(store, call)
    wanted = name_filter(call, "name", "label")
    names = yield from store.at(instant).walks.labels(wanted, _after_name(call), page_size)
    return with_instant(call, instant, _names(call, "labelset", names, instant, page_size))


def _list_snapshot(store: Store, call: Call, snapshot: str, page_size: int) -> Answer:
    # A snapshot is always what it was, so it does not matter at which instant it is looked at.
    for name in ("key", "label", "tags"):
        if call.query.first(name):
            raise invalid_argument(name, "A snapshot is listed as a whole.")
    settings = store.snapshots.settings(snapshot, _after(call), page_size)
    return _settings(call, settings, None, page_size)


def _settings(
    call: Call, settings: Sequence[Setting], instant: int | None, page_size: int
) -> Answer:
    last = following(settings, page_size)
    position = None if last is None else Position(last.key, last.label or "")
    return _page(call, settings, position, instant)


def _history(readings: Readings, call: Call, page_size: int) -> Steps[Answer]:
    position = _after(call)
    before = None if position is None else position.revision
    numbers = yield from readings.walks.revisions(_selection(call), before, page_size)
    last = following(numbers, page_size)
    begin = None if last is None else Position(revision=last)
    settings = [revision.setting for revision in readings.revisions_of(numbers)]
    answer = _page(call, settings, begin, readings.instant)
    return with_headers(answer, ACCEPT_RANGES) if answer.status == 200 else answer


def _part_of_history(
    readings: Readings, call: Call, wanted: Range, page_size: int
) -> Steps[Answer]:
    """What a range asks for, at most a page of it; ``after`` says nothing about a range."""
    numbers = yield from readings.walks.revisions(_selection(call), None, -1)
    if wanted.first >= len(numbers):
        raise unsatisfiable(len(numbers))
    part = numbers[wanted.first :][: min(wanted.size, page_size)]
    settings = [revision.setting for revision in readings.revisions_of(part)]
    answer = _page(call, settings, None, None)
    if answer.status != 200:
        return answer
    last = wanted.first + len(part) - 1
    told = {"Content-Range": f"items {wanted.first}-{last}/{len(numbers)}"}
    return replace(with_headers(answer, {**ACCEPT_RANGES, **told}), status=206)


def _page(
    call: Call, settings: Sequence[Setting], position: Position | None, instant: int | None
) -> Answer:
    link = next_link(call, position, instant)
    headers = link_header(link)
    etag: str | None = None
    if call.version >= PAGE_ETAGS:
        etag = page_etag((setting.etag for setting in settings), position)
        conditions = conditions_of(call.headers)
        if conditions.fails(etag):
            # Without ETag: there is a client that takes a 304 with one for a changed page.
            return Answer(conditions.failure, headers=tuple(headers.items()))
        headers["ETag"] = f'"{etag}"'
    fields = selected_fields(call)
    items = (represent(setting, fields) for setting in settings)
    return answer_page("kvset", items, {"etag": etag, "@nextLink": link}, headers)


def _selection(call: Call) -> Selection:
    try:
        tags = parse_tag_filters(call.query.all("tags")) if call.version >= TAG_FILTERS else ()
    except FilterError as error:
        raise invalid_filter(error) from None
    return Selection(name_filter(call, "key", "key"), name_filter(call, "label", "label"), tags)


def _names(
    call: Call, kind: str, names: Sequence[str], instant: int | None, page_size: int
) -> Answer:
    last = following(names, page_size)
    link = next_link(call, None if last is None else Position(last), instant)
    shown = choose(call, ("name",))
    items = (to_json(dict.fromkeys(shown, name or None)) for name in names)
    return answer_page(kind, items, {"@nextLink": link}, link_header(link))


def _after(call: Call) -> Position | None:
    return decode_position(call.query.first("after"))


def _after_name(call: Call) -> str | None:
    position = _after(call)
    return None if position is None else position.key
