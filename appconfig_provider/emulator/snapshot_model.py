"""Snapshots as values: what a writer asks for, and what the store made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from appconfig_provider.emulator.filters import (
    FilterError,
    NameFilter,
    OneOf,
    parse_name_filter,
    parse_tag_filters,
)
from appconfig_provider.emulator.model import (
    InvalidDraft,
    Setting,
    check_name,
    check_text,
    label_of,
)
from appconfig_provider.emulator.queries import Selection

KEY = "key"
KEY_LABEL = "key_label"
READY = "ready"
ARCHIVED = "archived"
PROVISIONING = "provisioning"
FAILED = "failed"
STATUSES = (PROVISIONING, READY, ARCHIVED, FAILED)
MAX_FILTERS = 3
RETENTION = range(3_600, 7_776_001)
DEFAULT_RETENTION = 2_592_000


@dataclass(frozen=True, slots=True)
class SnapshotFilter:
    """Which settings a snapshot takes; without a label only those that have none."""

    key: str
    label: str | None = None
    tags: tuple[str, ...] = ()

    def selection(self, place: str) -> Selection:
        """The filter as the store understands it; ``place`` is what an error calls it.

        Raises:
            InvalidDraft: the filter is outside the grammar.
        """
        for name, text in (("key", self.key), ("label", self.label), *_numbered(self.tags)):
            check_text(f"{place}.{name}", text or "")
        if not self.key:
            raise InvalidDraft(f"{place}.key", "a filter names the keys it takes")
        try:
            key = parse_name_filter(self.key, f"{place}.key")
            label = parse_name_filter(label_of(self.label) or "\0", f"{place}.label")
        except FilterError as error:
            raise InvalidDraft(error.name, error.detail) from None
        try:
            return Selection(key, label, parse_tag_filters(self.tags))
        except FilterError as error:
            raise InvalidDraft(f"{place}.tags", error.detail) from None


@dataclass(frozen=True, slots=True)
class SnapshotDraft:
    """A snapshot as a writer wants it; ``retention_period`` is in seconds.

    With the composition ``key`` a key has one value, that of the last filter that takes it; with
    ``key_label`` it may have one for each label.

    Raises:
        InvalidDraft: the service would refuse it.
    """

    name: str
    filters: tuple[SnapshotFilter, ...]
    composition_type: str = KEY
    retention_period: int = DEFAULT_RETENTION
    tags: Mapping[str, str | None] = field(default_factory=dict)
    description: str | None = None

    def __post_init__(self) -> None:
        check_name("name", self.name, empty_allowed=False)
        if not 1 <= len(self.filters) <= MAX_FILTERS:
            raise InvalidDraft("filters", f"a snapshot has 1 to {MAX_FILTERS} filters")
        if self.composition_type not in (KEY, KEY_LABEL):
            raise InvalidDraft("composition_type", f"it is {KEY!r} or {KEY_LABEL!r}")
        if self.retention_period not in RETENTION:
            least, most = RETENTION[0], RETENTION[-1]
            raise InvalidDraft("retention_period", f"{least} to {most} seconds are allowed")
        for name, value in self.tags.items():
            check_name(f"tags[{name}].key", name, empty_allowed=False)
            check_name(f"tags[{name}].value", value or "")
        check_text("description", self.description or "")
        for selection in self.selections:
            if self.composition_type == KEY and not _is_one_label(selection.label):
                raise InvalidDraft("label", f"the composition {KEY!r} takes one label a filter")

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The filters as the store understands them."""
        numbered = enumerate(self.filters)
        return tuple(wanted.selection(f"filters[{number}]") for number, wanted in numbered)

    def identity(self, setting: Setting) -> tuple[str, ...]:
        """What there can be only once in the snapshot."""
        if self.composition_type == KEY:
            return (setting.key,)
        return (setting.key, setting.label or "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot in the store; ``size`` is in bytes, ``expires`` is set while it is archived."""

    name: str
    etag: str
    status: str
    filters: tuple[SnapshotFilter, ...]
    composition_type: str
    retention_period: int
    tags: Mapping[str, str | None]
    description: str | None
    created: datetime
    last_modified: datetime
    expires: datetime | None
    size: int
    items_count: int


def _numbered(tags: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"tags[{number}]", tag) for number, tag in enumerate(tags)]


def _is_one_label(wanted: NameFilter) -> bool:
    return isinstance(wanted, OneOf) and len(wanted.names) == 1
