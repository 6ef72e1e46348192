"""The records of settings: one setting, and a page of settings as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Details(NamedTuple):
    """The fields that only feature flags and mappers need."""

    etag: str | None
    last_modified: str | None
    locked: bool


class Setting(NamedTuple):
    """A setting, with no more than is needed: a store may hold a hundred thousand."""

    key: str
    label: str | None
    value: str | None
    content_type: str | None
    tags: Mapping[str, str | None] | None = None
    details: Details | None = None

    def __repr__(self) -> str:
        """Show which setting it is, never its value."""
        return f"Setting({self.key!r}, {self.label!r})"


class Columns(NamedTuple):
    """The settings of a page, one tuple for each field; objects would take five times the memory.

    A field that no setting of the page has is an empty tuple; keys and values are never left out.
    """

    keys: tuple[str, ...] = ()
    values: tuple[str | None, ...] = ()
    labels: tuple[str | None, ...] = ()
    content_types: tuple[str | None, ...] = ()
    tags: tuple[Mapping[str, str | None] | None, ...] = ()
    details: tuple[Details | None, ...] = ()

    def __repr__(self) -> str:
        """Show how many settings there are, never their values."""
        return f"<Columns of {len(self.keys)}>"


def columns_of(settings: Sequence[Setting]) -> Columns:
    """Return settings as columns."""
    return Columns(
        tuple([one.key for one in settings]),
        tuple([one.value for one in settings]),
        column([one.label for one in settings]),
        column([one.content_type for one in settings]),
        column([one.tags for one in settings]),
        column([one.details for one in settings]),
    )


def column(fields: list[T | None]) -> tuple[T | None, ...]:
    """Return one field of all settings of a page; empty where none of them has it."""
    return () if fields.count(None) == len(fields) else tuple(fields)


class Page(NamedTuple):
    """One page of a listing. Equal `etag`s of the same `target` mean an equal page."""

    target: str
    etag: str | None
    columns: Columns
    next: str | None
    """The target of the page after it."""
    size: int = 0
    """How many settings the answer had; some may have been removed since (see `cut_points`)."""

    @property
    def settings(self) -> Iterator[Setting]:
        """The settings; each object is made during iteration and not kept."""
        keys, values, *rest = self.columns
        labels, *others = (column or repeat(None) for column in rest)
        return map(Setting._make, zip(keys, labels, values, *others, strict=False))
