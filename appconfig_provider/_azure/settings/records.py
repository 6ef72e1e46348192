"""What is kept of the settings of a store: one by one, and as the columns of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Details(NamedTuple):
    """What only feature flags and mappers ask for."""

    etag: str | None
    last_modified: str | None
    locked: bool


class Setting(NamedTuple):
    """What is kept of a setting; a store may hold a hundred thousand."""

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
    """The settings of a page, field by field, which takes a fifth of the memory of objects.

    A field that no setting of the page has is an empty column; keys and values are always there.
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
    """How many settings the page was answered with, some of which may count elsewhere."""

    @property
    def settings(self) -> Iterator[Setting]:
        """The settings, each made when it is its turn."""
        keys, values, *rest = self.columns
        labels, *others = (column or repeat(None) for column in rest)
        return map(Setting._make, zip(keys, labels, values, *others, strict=False))
