"""Putting a listing together from pages that were asked for side by side.

Theory. A page is what follows a position, up to a hundred settings; its target names the position.
The targets of an earlier listing are kept as fixed *cut points*: each part of the listing, from one
cut point to the next, is read on its own, and most parts answer 304. A part that changed may

- end where it did: then its next link is the next cut point;
- reach beyond it, after a deletion: what follows belongs to the next part and is left out here;
- end before it, after an insertion: then next links are followed until the gap is closed. Following
  them to the end instead would read everything a second time, since all later pages have shifted.

A page reaches the next cut point if it holds a setting of a later part. Pages that were read at
different moments may overlap or lack what was written meanwhile; each keeps the ETag of what it
held, so the next reload finds out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appconfig_provider._azure.settings.layering import Pages
from appconfig_provider._azure.settings.records import Page, Setting, columns_of

MAX_WASTE = 1.25
SLACK = 2


def fragmented(pages: Pages) -> bool:
    """Tell whether a listing has so many small parts that reading it from scratch is better."""
    capacity = max((page.size for page in pages), default=0)
    if capacity == 0:
        return len(pages) > 1 + SLACK
    fewest = sum(len(page.columns.keys) for page in pages) // capacity + 1
    return len(pages) > MAX_WASTE * fewest + SLACK


class Stitching:
    """The parts of a listing as they were answered, and what is missing between them."""

    def __init__(self, known: Pages, answers: Sequence[Page]) -> None:
        self._answers = answers
        self._changed = [place for place, page in enumerate(answers) if page is not known[place]]
        self._part: dict[tuple[str, str | None], int] | None = None

    def gaps(self) -> list[int]:
        """Return the places of the parts that end before the next cut point."""
        return [place for place in self._changed if not self.reaches(place, self._answers[place])]

    def reaches(self, place: int, page: Page) -> bool:
        """Tell whether a page of a part goes as far as the next cut point."""
        if page.next is None or self._ends_there(place, page):
            return True
        # Made once, and only when some part did not end where it did before.
        self._part = self._part or {
            _identity(setting): number
            for number, answer in enumerate(self._answers)
            for setting in answer.settings
        }
        part = self._part
        return any(part.get(_identity(setting), -1) > place for setting in page.settings)

    def whole(self, followers: Mapping[int, Sequence[Page]]) -> Pages:
        """Return the listing, given the pages that close the gaps; every setting stands once."""
        pages: list[Page] = []
        meeting = True
        for place, answer in enumerate(self._answers):
            part = [answer, *followers.get(place, ())]
            meeting = meeting and self._ends_there(place, part[-1])
            pages += part
        cut = any(len(page.columns.keys) < page.size for page in pages)
        return tuple(pages) if meeting and not cut else _each_once(pages)

    def _ends_there(self, place: int, page: Page) -> bool:
        """Tell whether a page of a part leads to the next part, or ends the listing after it."""
        following = place + 1
        last = following == len(self._answers)
        return page.next == (None if last else self._answers[following].target)


def _each_once(pages: Sequence[Page]) -> Pages:
    """Leave every setting only in the last page that holds it."""
    seen: set[tuple[str, str | None]] = set()
    kept: list[Page] = []
    for page in reversed(pages):
        own = [one for one in page.settings if _identity(one) not in seen]
        seen.update(map(_identity, own))
        kept.append(
            page if len(own) == len(page.columns.keys) else page._replace(columns=columns_of(own))
        )
    return tuple(reversed(kept))


def with_texts_of(before: Pages, after: Pages) -> Pages:
    """Return a listing in which keys and values that did not change are the same objects again.

    Only pages that were read anew are gone through, and only what they replace is looked up.
    """
    known, kept = set(map(id, before)), set(map(id, after))
    texts = {
        _identity(one): (one.key, one.value)
        for page in before
        if id(page) not in kept
        for one in page.settings
    }
    if not texts:
        return after
    return tuple(page if id(page) in known else _with_texts(page, texts) for page in after)


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
