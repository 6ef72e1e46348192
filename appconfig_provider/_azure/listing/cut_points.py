"""Putting a listing together from pages that were read concurrently.

Theory. A page is up to a hundred settings that follow a position in the listing; its target names
that position. The targets of an earlier listing are used as fixed *cut points*: each part of the
listing, from one cut point to the next, is read on its own, and most parts answer 304. If a part
has changed, its page

- may end at the next cut point, as before: its next link is that cut point;
- may go beyond it, after a deletion: its last settings belong to the next part, and are dropped;
- may end before it, after an insertion: then there is a gap, and next links are followed until it
  is closed. They are not followed to the end: all later pages have shifted, and would all be read.

A page reaches the next cut point if it holds a setting of a later part. Pages that were read at
different times may overlap, or lack what was written in between. Each keeps the ETag of what it
held, so the next reload sees the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appconfig_provider._azure.settings.layering import Pages
from appconfig_provider._azure.settings.records import Page, Setting, columns_of

MAX_WASTE = 1.25
"""How many times as many pages as needed a listing may have; insertions split pages."""
SLACK = 2
"""How many pages more are allowed, so that short listings are not read from scratch too often."""


def fragmented(pages: Pages) -> bool:
    """Tell whether a listing has so many short pages that reading it from scratch is better."""
    capacity = max((page.size for page in pages), default=0)
    if capacity == 0:
        return len(pages) > 1 + SLACK
    fewest = sum(len(page.columns.keys) for page in pages) // capacity + 1
    return len(pages) > MAX_WASTE * fewest + SLACK


class Stitching:
    """The pages of all parts of a listing, and the gaps between them."""

    def __init__(self, known: Pages, answers: Sequence[Page]) -> None:
        self._answers = answers
        self._changed = [place for place, page in enumerate(answers) if page is not known[place]]
        self._part: dict[tuple[str, str | None], int] | None = None

    def gaps(self) -> list[int]:
        """Return the numbers of the parts whose page ends before the next cut point."""
        return [place for place in self._changed if not self.reaches(place, self._answers[place])]

    def reaches(self, place: int, page: Page) -> bool:
        """Tell whether a page of a part goes as far as the next cut point."""
        if page.next is None or self._ends_at_next(place, page):
            return True
        # It takes time, so it is made once, and only when a part does not end as before.
        self._part = self._part or {
            _identity(setting): number
            for number, answer in enumerate(self._answers)
            for setting in answer.settings
        }
        part = self._part
        return any(part.get(_identity(setting), -1) > place for setting in page.settings)

    def whole(self, followers: Mapping[int, Sequence[Page]]) -> Pages:
        """Return the listing, with each setting once.

        `followers` are the pages that close the gap after a part, by the number of the part.
        """
        pages: list[Page] = []
        seamless = True
        for place, answer in enumerate(self._answers):
            part = [answer, *followers.get(place, ())]
            seamless = seamless and self._ends_at_next(place, part[-1])
            pages += part
        # A page that was shortened in an earlier reload shows that pages of this listing overlap.
        shortened = any(len(page.columns.keys) < page.size for page in pages)
        return tuple(pages) if seamless and not shortened else _each_once(pages)

    def _ends_at_next(self, place: int, page: Page) -> bool:
        """Tell whether a page ends exactly at the next cut point, or at the end of the listing."""
        following = place + 1
        last = following == len(self._answers)
        return page.next == (None if last else self._answers[following].target)


def _each_once(pages: Sequence[Page]) -> Pages:
    """Remove each setting from all pages but the last one that holds it."""
    seen: set[tuple[str, str | None]] = set()
    result: list[Page] = []
    for page in reversed(pages):
        own = [one for one in page.settings if _identity(one) not in seen]
        seen.update(map(_identity, own))
        result.append(
            page if len(own) == len(page.columns.keys) else page._replace(columns=columns_of(own))
        )
    return tuple(reversed(result))


def with_texts_of(before: Pages, after: Pages) -> Pages:
    """Return the listing with the old text objects for all keys and values that did not change.

    So the old and the new generation share their memory. Only pages that were read anew are gone
    through, and only the settings of pages that they replace are looked up.
    """
    old_pages, new_pages = set(map(id, before)), set(map(id, after))
    texts = {
        _identity(one): (one.key, one.value)
        for page in before
        if id(page) not in new_pages
        for one in page.settings
    }
    if not texts:
        return after
    return tuple(page if id(page) in old_pages else _with_texts(page, texts) for page in after)


def _with_texts(page: Page, texts: Mapping[tuple[str, str | None], tuple[str, str | None]]) -> Page:
    keys: list[str] = []
    values: list[str | None] = []
    for one in page.settings:
        key, value = texts.get(_identity(one), (one.key, one.value))
        keys.append(key)
        values.append(value if value == one.value else one.value)
    return page._replace(columns=page.columns._replace(keys=tuple(keys), values=tuple(values)))


def _identity(setting: Setting) -> tuple[str, str | None]:
    return setting.key, setting.label
