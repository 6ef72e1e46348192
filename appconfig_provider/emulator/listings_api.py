"""``/kv``, ``/keys`` and ``/labels``: listings in pages."""

from __future__ import annotations

from collections.abc import Sequence

from appconfig_provider.emulator.filters import (
    FilterError,
    NameFilter,
    parse_name_filter,
    parse_tag_filters,
)
from appconfig_provider.emulator.model import Setting
from appconfig_provider.emulator.paging import (
    conditions_of,
    decode_position,
    link_header,
    next_link,
    page_etag,
)
from appconfig_provider.emulator.queries import Position, Selection
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.versions import PAGE_ETAGS, TAG_FILTERS
from appconfig_provider.emulator.wire import (
    Answer,
    Call,
    answer_page,
    choose,
    invalid_filter,
    represent,
    selected_fields,
    to_json,
)


def list_settings(store: Store, call: Call, page_size: int) -> Answer:
    """Answer GET and HEAD of ``/kv``: one page of settings, or 304 or 412 by its ETag."""
    settings = _page(store, call, page_size)
    following = _following([_position(setting) for setting in settings], page_size)
    link = next_link(call, following)
    headers = link_header(link)
    etag: str | None = None
    if call.version >= PAGE_ETAGS:
        etag = page_etag((setting.etag for setting in settings), following)
        conditions = conditions_of(call.headers)
        if conditions.fails(etag):
            # Without ETag: there is a client that takes a 304 with one for a changed page.
            return Answer(conditions.failure, headers=tuple(headers.items()))
        headers["ETag"] = f'"{etag}"'
    fields = selected_fields(call)
    items = (represent(setting, fields) for setting in settings)
    return answer_page("kvset", items, {"etag": etag, "@nextLink": link}, headers)


def list_keys(store: Store, call: Call, page_size: int) -> Answer:
    """Answer GET and HEAD of ``/keys``: one page of distinct keys."""
    names = store.keys(_name_filter(call, "name", "key"), _after_name(call), page_size)
    return _names(call, "keyset", names, page_size)


def list_labels(store: Store, call: Call, page_size: int) -> Answer:
    """Answer GET and HEAD of ``/labels``: one page of distinct labels, "no label" first."""
    names = store.labels(_name_filter(call, "name", "label"), _after_name(call), page_size)
    return _names(call, "labelset", names, page_size)


def _page(store: Store, call: Call, page_size: int) -> list[Setting]:
    selection = _selection(call)
    if call.query.first("snapshot") is not None:
        # No snapshot has any name here, and one that does not exist lists as empty.
        return []
    return store.page(selection, decode_position(call.query.first("after")), page_size)


def _selection(call: Call) -> Selection:
    try:
        tags = parse_tag_filters(call.query.all("tags")) if call.version >= TAG_FILTERS else ()
    except FilterError as error:
        raise invalid_filter(error) from None
    return Selection(_name_filter(call, "key", "key"), _name_filter(call, "label", "label"), tags)


def _name_filter(call: Call, parameter: str, blamed: str) -> NameFilter:
    try:
        return parse_name_filter(call.query.first(parameter), blamed)
    except FilterError as error:
        raise invalid_filter(error) from None


def _names(call: Call, kind: str, names: Sequence[str], page_size: int) -> Answer:
    link = next_link(call, _following([Position(name) for name in names], page_size))
    shown = choose(call, ("name",))
    items = (to_json(dict.fromkeys(shown, name or None)) for name in names)
    return answer_page(kind, items, {"@nextLink": link}, link_header(link))


def _after_name(call: Call) -> str | None:
    position = decode_position(call.query.first("after"))
    return None if position is None else position.key


def _position(setting: Setting) -> Position:
    return Position(setting.key, setting.label or "")


def _following(positions: Sequence[Position], page_size: int) -> Position | None:
    return positions[-1] if positions and len(positions) == page_size else None
