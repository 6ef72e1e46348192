"""``/kv/{key}`` and ``/locks/{key}``: reading, writing, deleting and locking one setting.

The order of checks on a write is the service's: what was sent, then the conditions, then the lock.
Both the look at the present setting and the write happen while nobody else can reach the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import format_datetime

from appconfig_provider.emulator.filters import FilterError, TagFilter, parse_tag_filters
from appconfig_provider.emulator.model import (
    Draft,
    DraftTooLarge,
    InvalidDraft,
    Setting,
    SettingLocked,
    label_of,
)
from appconfig_provider.emulator.paging import conditions_of
from appconfig_provider.emulator.readings import Readings
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.time_travel import requested_instant, with_instant
from appconfig_provider.emulator.versions import DESCRIPTIONS, ITEM_TAG_FILTERS
from appconfig_provider.emulator.wire import (
    Answer,
    Call,
    Refusal,
    answer_json,
    invalid_argument,
    invalid_filter,
    problem,
    read_object,
    read_tags,
    read_text,
    represent,
    selected_fields,
)


def read_setting(store: Store, call: Call) -> Answer:
    """Answer GET and HEAD: the setting, 304 or 412 by condition, 404 when it is not there."""
    instant = requested_instant(store, call)
    return with_instant(call, instant, _read(store.at(instant), call))


def _read(readings: Readings, call: Call) -> Answer:
    wanted = _tag_filters(call)
    setting = readings.get(call.key, _label(call))
    if setting is None or not _carries(setting, wanted):
        return Answer(404)
    conditions = conditions_of(call.headers)
    if conditions.fails(setting.etag):
        return Answer(conditions.failure, headers=tuple(_validators(setting).items()))
    return _answer(call, setting)


def write_setting(store: Store, call: Call) -> Answer:
    """Answer PUT: the setting as stored, which is the old one when nothing changes."""
    draft = _draft(call)
    with store.exclusive(), _locks_told(call):
        _check_conditions(call, store.get(draft.key, draft.label))
        return _answer(call, store.put(draft))


def delete_setting(store: Store, call: Call) -> Answer:
    """Answer DELETE: what the setting was, or 204 when there was none."""
    label = _label(call)
    with store.exclusive(), _locks_told(call):
        _check_conditions(call, store.get(call.key, label))
        deleted = store.delete(call.key, label)
    return Answer(204) if deleted is None else _answer(call, deleted)


def lock_setting(store: Store, call: Call) -> Answer:
    """Answer PUT (lock) and DELETE (unlock) of ``/locks/{key}``: the setting, or 404."""
    label = _label(call)
    with store.exclusive():
        _check_conditions(call, store.get(call.key, label))
        setting = store.lock(call.key, label, locked=call.method == "PUT")
    return Answer(404) if setting is None else _answer(call, setting)


@contextmanager
def _locks_told(call: Call) -> Iterator[None]:
    try:
        yield
    except SettingLocked:
        title = f"Modifing key '{call.key}' is not allowed"  # the service's spelling
        detail = "The key is read-only. To allow modification unlock it first."
        raise problem(409, "key-locked", title, call.key, detail) from None


def _check_conditions(call: Call, present: Setting | None) -> None:
    if conditions_of(call.headers).fails(None if present is None else present.etag):
        raise Refusal(Answer(412))


def _label(call: Call) -> str | None:
    return label_of(call.query.first("label"))


def _tag_filters(call: Call) -> tuple[TagFilter, ...]:
    if call.version < ITEM_TAG_FILTERS:
        return ()
    try:
        return parse_tag_filters(call.query.all("tags"))
    except FilterError as error:
        raise invalid_filter(error) from None


def _carries(setting: Setting, wanted: tuple[TagFilter, ...]) -> bool:
    tags = setting.tags
    return all(tag.name in tags and tags[tag.name] == tag.value for tag in wanted)


def _draft(call: Call) -> Draft:
    content = read_object(call)
    described = call.version >= DESCRIPTIONS
    try:
        return Draft(
            key=call.key,
            label=_label(call),
            value=read_text(content, "value"),
            content_type=read_text(content, "content_type"),
            tags=read_tags(content, "tags.{}"),
            description=read_text(content, "description") if described else None,
        )
    except InvalidDraft as error:
        raise invalid_argument(error.field) from None
    except DraftTooLarge:
        raise too_large() from None


def too_large() -> Refusal:
    """The 413 for a setting, or a body, of more than 10 KB."""
    return problem(413, "invalid-argument", "The key-value is too large")


def _answer(call: Call, setting: Setting) -> Answer:
    return answer_json("kv", represent(setting, selected_fields(call)), _validators(setting))


def _validators(setting: Setting) -> Mapping[str, str]:
    return {
        "ETag": f'"{setting.etag}"',
        "Last-Modified": format_datetime(setting.last_modified, usegmt=True),
    }
