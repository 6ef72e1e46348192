"""Listing the settings of selectors, page by page; pages that have not changed are used again."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from appconfig_provider._azure.listing.content import Selections
from appconfig_provider._azure.listing.cut_points import Stitching, fragmented, with_texts_of
from appconfig_provider._azure.rest.requests import (
    list_target,
    snapshot_list_target,
    snapshot_target,
)
from appconfig_provider._azure.rest.responses import Malformed, read_object, read_page
from appconfig_provider._azure.settings.layering import Pages
from appconfig_provider._azure.settings.records import Page, Setting
from appconfig_provider._azure.settings.references import UnusableSnapshot
from appconfig_provider._fetch.exchange import READ_OR_ABSENT, Session, read
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Headers, Plan, Steps, gather, plan
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.selectors import SettingSelector

_NO_PAST = "the store answered for the present only; leave consistency='point_in_time' out"


@dataclass(slots=True)
class _Listing:
    """One listing while it is read."""

    first: str
    """The target of its first page."""
    known: Pages
    """Its pages of the last time; empty when it is read from scratch."""
    as_of: Headers = ()
    answers: dict[int, Page] = field(default_factory=dict)
    """By number: the known pages as they are now; or all pages, when it is read from scratch."""
    followers: dict[int, list[Page]] = field(default_factory=dict)
    """By number of a known page: the pages that close the gap after it."""

    def stitched(self) -> Stitching:
        """Return the answers so far, to be compared with the known pages."""
        return Stitching(self.known, [self.answers[place] for place in sorted(self.answers)])

    def whole(self) -> Pages:
        """Return all pages."""
        return self.stitched().whole(self.followers) if self.known else tuple(self.answers.values())


_Job = Callable[[], Plan[None]]


@dataclass(frozen=True, slots=True)
class Lister:
    """Reads listings in one session.

    `detailed` keeps the fields that only a mapper needs. `as_of` are the headers for a point in
    time; they are not sent for snapshots, which never change.
    """

    session: Session
    detailed: bool = False
    as_of: Headers = ()

    def settings(self, selectors: Iterable[SettingSelector], known: Selections) -> Plan[Selections]:
        """List the settings of all selectors concurrently."""
        return self._all(tuple(selectors), known, "")

    def flags(self, selectors: Iterable[SettingSelector], known: Selections) -> Plan[Selections]:
        """List the feature flags of all selectors concurrently."""
        return self._all(tuple(selectors), known, FLAG_PREFIX)

    @plan
    def _all(
        self, selectors: tuple[SettingSelector, ...], known: Selections, key_prefix: str
    ) -> Steps[Selections]:
        names = [one.snapshot_name for one in selectors if one.snapshot_name is not None]
        yield from self._check_snapshots(names)
        listings = [
            _Listing(snapshot_list_target(selector.snapshot_name), pages)
            if selector.snapshot_name is not None
            else _Listing(list_target(selector, key_prefix), pages, self.as_of)
            for selector, pages in zip(selectors, known or ((),) * len(selectors), strict=True)
        ]
        return (yield from self._read(listings))

    @plan
    def snapshots(
        self, names: tuple[str, ...], known: Mapping[str, Pages]
    ) -> Steps[dict[str, Pages]]:
        """Return the pages of snapshots by name.

        Raises:
            UnusableSnapshot: one is not there, not ready, or holds a key more than once.
        """
        yield from self._check_snapshots(names)
        listings = [_Listing(snapshot_list_target(name), known.get(name, ())) for name in names]
        pages = yield from self._read(listings)
        return dict(zip(names, pages, strict=True))

    @plan
    def _check_snapshots(self, names: Iterable[str]) -> Steps[None]:
        yield from gather(*[self._check_snapshot(name) for name in names])

    @plan
    def _check_snapshot(self, name: str) -> Steps[None]:
        doing = snapshot_target(name)
        response = yield from read(self.session, doing, None, READ_OR_ABSENT)
        if response.status == 404:
            raise UnusableSnapshot(
                name, "is not in the store; create it or name another", missing=True
            )
        try:
            described = read_object(response, doing)
            status = described.get("status")
            if not isinstance(status, str):
                raise Malformed(f"{doing} did not answer with a snapshot")
        except Malformed as error:
            raise self._malformed(error) from error
        if status not in {"ready", "archived"}:
            raise UnusableSnapshot(name, f"is {status}, not ready", missing=True)
        if described.get("composition_type") != "key":
            raise UnusableSnapshot(name, "must have the composition type 'key'", missing=False)

    @plan
    def _read(self, listings: list[_Listing]) -> Steps[Selections]:
        """Read all listings concurrently; of a known listing all pages at the same time."""
        before = [listing.known for listing in listings]
        for listing in listings:
            if fragmented(listing.known):
                listing.known = ()
        chains: list[_Job] = [partial(self._chain, one) for one in listings if not one.known]
        pages: list[_Job] = [
            partial(self._again, one, place) for one in listings for place in range(len(one.known))
        ]
        # Chains start first: a chain takes longest, as its pages are read one after the other.
        yield from self._side_by_side(chains + pages)
        gaps: list[_Job] = [
            partial(self._close, one, stitched, place)
            for one, stitched in [(one, one.stitched()) for one in listings if one.known]
            for place in stitched.gaps()
        ]
        yield from self._side_by_side(gaps)
        after = (listing.whole() for listing in listings)
        return tuple(map(with_texts_of, before, after))

    @plan
    def _side_by_side(self, jobs: list[_Job]) -> Steps[None]:
        queue = deque(jobs)
        while queue:
            width = min(len(queue), self.session.concurrency)
            workers = [self._work(number, width, queue) for number in range(width)]
            yield from gather(*workers)

    @plan
    def _work(self, number: int, width: int, queue: deque[_Job]) -> Steps[None]:
        """Do jobs until none is left, or until the number of workers should change.

        The concurrency of a session follows the time of its answers. A worker that is too many
        returns; all return when more than
        twice as many would be useful, and that number is started then.
        """
        while queue:
            yield from queue.popleft()()
            if not number < self.session.concurrency <= 2 * width:
                return

    @plan
    def _chain(self, listing: _Listing) -> Steps[None]:
        """Read a listing from its first page on, following its links."""
        target: str | None = listing.first
        seen: set[str] = set()
        while target is not None:
            page = yield from self._page(target, None, listing.as_of)
            listing.answers[len(seen)] = page
            seen.add(target)
            target = self._unseen(page.next, seen)

    @plan
    def _again(self, listing: _Listing, place: int) -> Steps[None]:
        known = listing.known[place]
        listing.answers[place] = yield from self._page(known.target, known, listing.as_of)

    @plan
    def _close(self, listing: _Listing, stitched: Stitching, place: int) -> Steps[None]:
        """Follow the next links of a page until its gap is closed."""
        page = listing.answers[place]
        run = listing.followers[place] = []
        seen = {page.target}
        while not stitched.reaches(place, page) and page.next is not None:
            page = yield from self._page(page.next, None, listing.as_of)
            run.append(page)
            seen.add(page.target)
            self._unseen(page.next, seen)

    def _unseen(self, target: str | None, seen: set[str]) -> str | None:
        if target in seen:
            raise self._malformed(Malformed(f"{target} leads back to itself"))
        return target

    @plan
    def _page(self, target: str, known: Page | None, as_of: Headers) -> Steps[Page]:
        """Read a page; a known one that is answered 304 is used again."""
        etag = known.etag if known else None
        response = yield from read(self.session, target, etag, headers=as_of)
        if response.status == 304 and known:
            return known
        if as_of and "memento-datetime" not in response.headers:
            raise self._malformed(Malformed(_NO_PAST))
        try:
            return read_page(response, target, detailed=self.detailed)
        except Malformed as error:
            raise self._malformed(error) from error

    def _malformed(self, error: Malformed) -> RequestFailed:
        return RequestFailed(Kind.MALFORMED, self.session.origin, str(error))


def moved(before: Selections, after: Selections) -> bool:
    """Tell whether settings of listings differ; how they are divided into pages does not matter."""
    if before is after:
        return False
    return any(map(_moved, before, after)) or len(before) != len(after)


def _moved(before: Pages, after: Pages) -> bool:
    if all(map(operator.is_, before, after)) and len(before) == len(after):
        return False
    versions = [(page.target, page.etag) for page in before]
    if versions == [(page.target, page.etag) for page in after]:
        # An equal ETag means an equal page. If a page has none, the settings are compared.
        return any(etag is None for _, etag in versions) and _differ(before, after)
    same_targets = [page.target for page in before] == [page.target for page in after]
    # With the same targets an ETag differs, so a page has changed. Otherwise the listing was read
    # from scratch, or gaps were closed: its pages begin elsewhere, and ETags cannot be compared.
    return same_targets or _differ(before, after)


def _differ(before: Pages, after: Pages) -> bool:
    return list(_settings(before)) != list(_settings(after))


def _settings(pages: Pages) -> Iterator[Setting]:
    return chain.from_iterable(page.settings for page in pages)
