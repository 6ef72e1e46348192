"""Listing what a selector means, page by page, without asking twice for what has not changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appconfig_provider._plan import Headers, Plan, Steps, plan, together
from appconfig_provider._rest.exchange import READ_OR_ABSENT, Session, read
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.requests import list_target, snapshot_list_target, snapshot_target
from appconfig_provider._rest.responses import (
    Malformed,
    Page,
    read_object,
    read_page,
)
from appconfig_provider._settings.layering import Pages
from appconfig_provider._settings.references import UnusableSnapshot
from appconfig_provider.models import FLAG_PREFIX, SettingSelector

Selections = tuple[Pages, ...]

_NO_PAST = "the store answered for the present only; leave consistency='point_in_time' out"


@dataclass(frozen=True, slots=True)
class Lister:
    """Reads listings in one session; `detailed` keeps what only a mapper asks for.

    `moment` are the headers that make the store answer as it was then; snapshots never change.
    """

    session: Session
    detailed: bool = False
    moment: Headers = ()

    def settings(self, selectors: Iterable[SettingSelector], known: Selections) -> Plan[Selections]:
        """List the settings of all selectors side by side."""
        return self._all(tuple(selectors), known, "")

    def flags(self, selectors: Iterable[SettingSelector], known: Selections) -> Plan[Selections]:
        """List the feature flags of all selectors side by side."""
        return self._all(tuple(selectors), known, FLAG_PREFIX)

    @plan
    def _all(
        self, selectors: tuple[SettingSelector, ...], known: Selections, key_prefix: str
    ) -> Steps[Selections]:
        old = known or ((),) * len(selectors)
        listings = [
            self.snapshot(selector.snapshot_name, pages)
            if selector.snapshot_name is not None
            else self.pages(list_target(selector, key_prefix), pages, self.moment)
            for selector, pages in zip(selectors, old, strict=True)
        ]
        return (yield from together(listings))

    @plan
    def snapshot(self, name: str, known: Pages) -> Steps[Pages]:
        """Return the pages of a snapshot.

        Raises:
            UnusableSnapshot: it is not there, not ready, or holds a key more than once.
        """
        doing = snapshot_target(name)
        response = yield from read(self.session, doing, None, READ_OR_ABSENT)
        if response.status == 404:
            raise UnusableSnapshot(
                name, "is not in the store; create it or name another", missing=True
            )
        try:
            described = read_object(response, doing)
        except Malformed as error:
            raise self._malformed(error) from error
        if described.get("status") not in {"ready", "archived"}:
            raise UnusableSnapshot(name, f"is {described.get('status')}, not ready", missing=True)
        if described.get("composition_type") != "key":
            raise UnusableSnapshot(name, "must have the composition type 'key'", missing=False)
        return (yield from self.pages(snapshot_list_target(name), known))

    @plan
    def pages(self, first: str, known: Pages, moment: Headers = ()) -> Steps[Pages]:
        """Return all pages from a first target on; a known page answered 304 is used again.

        A page's ETag covers where it continues, so an unchanged page may be followed by its old
        link.
        """
        by_target: Mapping[str, Page] = {page.target: page for page in known}
        pages: dict[str, Page] = {}
        target: str | None = first
        while target is not None:
            if target in pages:
                raise self._malformed(Malformed(f"{target} leads back to itself"))
            page = yield from self._page(target, by_target.get(target), moment)
            pages[target] = page
            target = page.next
        return tuple(pages.values())

    @plan
    def _page(self, target: str, known: Page | None, moment: Headers) -> Steps[Page]:
        etag = known.etag if known else None
        response = yield from read(self.session, target, etag, headers=moment)
        if response.status == 304 and known:
            return known
        if moment and "memento-datetime" not in response.headers:
            raise self._malformed(Malformed(_NO_PAST))
        try:
            return read_page(response, target, detailed=self.detailed)
        except Malformed as error:
            raise self._malformed(error) from error

    def _malformed(self, error: Malformed) -> RequestFailed:
        return RequestFailed(Kind.MALFORMED, self.session.origin, str(error))


def moved(before: Selections, after: Selections) -> bool:
    """Tell whether a listing differs; unchanged pages are the same objects."""
    if [len(pages) for pages in before] != [len(pages) for pages in after]:
        return True
    return any(
        new is not old
        for old_pages, new_pages in zip(before, after, strict=True)
        for old, new in zip(old_pages, new_pages, strict=True)
    )
