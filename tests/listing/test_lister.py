"""Reading listings page by page: what is asked, how much at once, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._azure.listing.content import Selections
from appconfig_provider._azure.listing.pages import Lister, moved
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider._azure.settings.references import UnusableSnapshot
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Plan, Request, Response, Schedule, Send
from appconfig_provider.testing import FakeClock
from tests.support.scripted import ScriptedDriver, page, setting, status

T = TypeVar("T")

ORIGIN = "https://one.azconfig.io"
ALL = SettingSelector(key_filter="*")
FIRST = "/kv?api-version=2024-09-01&key=%2A&label=%00"


def session_of(clock: FakeClock, round_trip: float = 1.0) -> Session:
    """Return a session without retries."""
    return Session(
        origin=ORIGIN,
        sign=None,
        service=StoreService(()),
        deadline=1e9,
        max_retry_wait=0.0,
        retries=0,
        clock=clock,
        random=lambda: 0.0,
        round_trip=round_trip,
    )


def run(
    answer: Callable[[Request], Response], listing: Callable[[Lister], Plan[T]], **keywords: object
) -> tuple[T, list[str]]:
    """Run a plan of a lister; return its result and the targets that were asked."""
    driver = ScriptedDriver(answer)
    lister = Lister(session_of(driver.clock), **keywords)  # type: ignore[arg-type]  # as they come
    result = driver.run(listing(lister))
    return result, [request.target for request in driver.requests]


def linked(keys: str, following: str | None, etag: str | None = None, **headers: str) -> Response:
    """Return an answer of settings, one for each letter, and a link."""
    whole = page([setting(key, key) for key in keys], etag or f"of {keys}")
    link = {} if following is None else {"link": f'<{following}>; rel="next"'}
    return Response(200, {**whole.headers, **link, **headers}, whole.body)


def keys_of(selections: Selections) -> list[str]:
    """Return the keys of each listing, its pages parted by a blank."""
    return [
        " ".join("".join(one.key for one in each.settings) for each in pages)
        for pages in selections
    ]


STORE = {FIRST: linked("ab", "/kv?after=b"), "/kv?after=b": linked("c", None)}


def listing_of(
    selectors: Sequence[SettingSelector], known: Selections = ()
) -> Callable[[Lister], Plan[Selections]]:
    """Return the plan that lists selectors."""
    return lambda lister: lister.settings(selectors, known)


def test_a_listing_follows_its_links_to_the_end() -> None:
    """Without anything known each page is asked for once, without an ETag."""
    selections, asked = run(lambda request: STORE[request.target], listing_of([ALL]))
    assert keys_of(selections) == ["ab c"]
    assert asked == [FIRST, "/kv?after=b"]


def test_a_known_listing_asks_for_every_page_with_its_etag() -> None:
    """What is answered 304 is the same page again; no link is followed."""
    known, _ = run(lambda request: STORE[request.target], listing_of([ALL]))

    def answer(request: Request) -> Response:
        held = dict(request.headers).get("if-none-match")
        return status(304) if held == STORE[request.target].headers["etag"] else status(500)

    again, asked = run(answer, listing_of([ALL], known))
    assert asked == [FIRST, "/kv?after=b"]
    assert all(one is other for one, other in zip(again[0], known[0], strict=True))


def test_an_answer_that_says_unchanged_without_being_asked_is_refused() -> None:
    """A 304 to a request without an ETag tells of no page."""
    with pytest.raises(RequestFailed, match="did not answer with a page"):
        run(lambda _: status(304), listing_of([ALL]))


def test_an_insertion_follows_links_until_the_next_known_page() -> None:
    """Only the pages of the gap are read besides the known ones."""
    known, _ = run(lambda request: STORE[request.target], listing_of([ALL]))
    changed = {
        FIRST: linked("aA", "/kv?after=A"),
        "/kv?after=A": linked("b", "/kv?after=b"),
        "/kv?after=b": status(304),
    }
    again, asked = run(lambda request: changed[request.target], listing_of([ALL], known))
    assert keys_of(again) == ["aA b c"]
    assert asked == [FIRST, "/kv?after=b", "/kv?after=A"]


@pytest.mark.parametrize(
    "changed",
    [
        {FIRST: linked("ab", FIRST)},
        {FIRST: linked("ab", "/kv?after=b"), "/kv?after=b": linked("c", FIRST)},
        {FIRST: linked("ab", "/kv?after=b"), "/kv?after=b": linked("c", "/kv?after=b")},
    ],
)
def test_a_listing_that_goes_in_circles_is_refused(changed: dict[str, Response]) -> None:
    """No page is read twice, whichever one a link leads back to."""
    with pytest.raises(RequestFailed, match="leads back to itself"):
        run(lambda request: changed[request.target], listing_of([ALL]))


@pytest.mark.parametrize("back", ["/kv?after=A", FIRST])
def test_a_gap_that_goes_in_circles_is_refused(back: str) -> None:
    """A page that closes a gap may not lead back to one that was read for it."""
    known, _ = run(lambda request: STORE[request.target], listing_of([ALL]))
    changed = {
        FIRST: linked("aA", "/kv?after=A"),
        "/kv?after=A": linked("B", back),
        "/kv?after=b": status(304),
    }
    with pytest.raises(RequestFailed, match="leads back to itself"):
        run(lambda request: changed[request.target], listing_of([ALL], known))


def test_a_listing_of_too_many_parts_is_read_from_scratch() -> None:
    """Its pages are forgotten, and its first one is asked for without an ETag."""
    parts = tuple(Page(f"/kv?part={n}", f"e{n}", columns_of(()), None) for n in range(9))

    def answer(request: Request) -> Response:
        assert "if-none-match" not in dict(request.headers)
        return STORE[request.target]

    selections, asked = run(answer, listing_of([ALL], (parts,)))
    assert keys_of(selections) == ["ab c"]
    assert asked == [FIRST, "/kv?after=b"]


def test_listings_keep_the_order_of_their_selectors() -> None:
    """Flags are listed by the same rules, below their own prefix."""
    a, b = SettingSelector(key_filter="a"), SettingSelector(key_filter="b")
    pages = {"key=a": linked("a", None), "key=b": linked("b", None)}

    def answer(request: Request) -> Response:
        return pages[request.target.partition("&")[2].partition("&")[0].replace("F", "=")]

    selections, _ = run(answer, listing_of([b, a]))
    assert keys_of(selections) == ["b", "a"]
    _, asked = run(lambda _: linked("", None), lambda lister: lister.flags([ALL], ()))
    assert asked == [FIRST.replace("key=", "key=.appconfig.featureflag%2F")]


MOMENT = (("accept-datetime", "Fri, 20 Nov 2026 23:52:02 GMT"),)


def test_a_listing_as_of_a_time_asks_for_it_and_wants_it_confirmed() -> None:
    """Every page carries the date, and must say that it shows the past."""

    def dated(request: Request) -> Response:
        assert MOMENT[0] in request.headers
        answer = STORE[request.target]
        return Response(200, {**answer.headers, "memento-datetime": "x"}, answer.body)

    known, _ = run(dated, listing_of([ALL]), as_of=MOMENT)
    assert keys_of(known) == ["ab c"]
    with pytest.raises(RequestFailed, match="for the present only"):
        run(lambda request: STORE[request.target], listing_of([ALL]), as_of=MOMENT)
    again, _ = run(lambda _: status(304), listing_of([ALL], known), as_of=MOMENT)
    assert again == known


READY = {"name": "s", "status": "ready", "composition_type": "key"}
SNAPSHOT = SettingSelector(snapshot_name="s")


def of_snapshot(described: object, code: int = 200) -> Callable[[Request], Response]:
    """Return the answers of a store with one snapshot."""
    body = described if isinstance(described, bytes) else json.dumps(described).encode()

    def answer(request: Request) -> Response:
        assert "accept-datetime" not in dict(request.headers)
        if request.target.startswith("/snapshots/s?"):
            return Response(code, {}, body)
        assert "snapshot=s" in request.target
        return linked("xy", None)

    return answer


@pytest.mark.parametrize("by", ["selector", "reference"])
@pytest.mark.parametrize("state", ["ready", "archived"])
def test_a_snapshot_is_looked_at_before_it_is_listed(state: str, by: str) -> None:
    """One that is ready or archived is listed; it never changes, so no time is asked for."""
    answer = of_snapshot({**READY, "status": state})
    if by == "selector":
        selections, asked = run(answer, listing_of([SNAPSHOT]), as_of=MOMENT)
    else:
        found, asked = run(answer, lambda lister: lister.snapshots(("s",), {}), as_of=MOMENT)
        assert list(found) == ["s"]
        selections = (found["s"],)
    assert keys_of(selections) == ["xy"]
    assert [target.partition("?")[0] for target in asked] == ["/snapshots/s", "/kv"]


@pytest.mark.parametrize("by", ["selector", "reference"])
@pytest.mark.parametrize(
    ("described", "code", "missing", "words"),
    [
        ({}, 404, True, "not in the store"),
        ({**READY, "status": "provisioning"}, 200, True, "is provisioning, not ready"),
        ({**READY, "status": "failed"}, 200, True, "is failed, not ready"),
        ({**READY, "composition_type": "key_label"}, 200, False, "composition type 'key'"),
    ],
)
def test_a_snapshot_that_cannot_be_used_is_refused(
    described: object, code: int, missing: bool, words: str, by: str
) -> None:
    """The error says why, and tells a missing one from one that holds keys twice."""
    plan: Callable[[Lister], Plan[object]] = (
        listing_of([SNAPSHOT]) if by == "selector" else lambda lister: lister.snapshots(("s",), {})
    )
    with pytest.raises(UnusableSnapshot, match=words) as caught:
        run(of_snapshot(described, code), plan)
    assert caught.value.missing is missing
    assert caught.value.name == "s"


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_a_snapshot_described_by_nonsense_is_the_endpoints_failure(body: bytes) -> None:
    """A sign-in page says nothing of a snapshot."""
    with pytest.raises(RequestFailed, match="did not answer with"):
        run(of_snapshot(body), listing_of([SNAPSHOT]))


def test_a_known_snapshot_is_asked_for_by_its_etags() -> None:
    """What a reference listed before is not read again."""
    known, _ = run(of_snapshot(READY), lambda lister: lister.snapshots(("s",), {}))

    def answer(request: Request) -> Response:
        return status(304) if "snapshot=s" in request.target else of_snapshot(READY)(request)

    again, _ = run(answer, lambda lister: lister.snapshots(("s",), known))
    assert again["s"][0] is known["s"][0]


class Widths:
    """Answers known pages one at a time, and remembers how many requests were under way."""

    def __init__(self, round_trip: float, known: int) -> None:
        self.clock = FakeClock()
        self.session = session_of(self.clock, round_trip)
        pages = tuple(
            Page(f"/kv?part={n}", f"e{n}", columns_of((Setting(f"k{n}", None, "", None),)), None, 1)
            for n in range(known)
        )
        linked_pages = [one._replace(next=after.target) for one, after in pairwise(pages)]
        pages = (*linked_pages, pages[-1])
        self.plan: Plan[Selections] = Lister(self.session).settings([ALL], (pages,))

    def run(self, answers: Callable[[int], tuple[float, Response]]) -> list[int]:
        """Answer each request as a number says; return how many were under way at each."""
        schedule = Schedule(self.plan)
        waiting, widths, number = schedule.start(), [], 0
        while waiting:
            widths.append(len(waiting))
            pending = waiting.pop(0)
            assert isinstance(pending.effect, Send)
            seconds, answer = answers(number)
            self.clock.advance(seconds)
            waiting += schedule.answer(pending, answer)
            number += 1
        schedule.result()
        return widths


@pytest.mark.parametrize(
    ("round_trip", "most"),
    [(0.0, 1), (0.0007, 1), (0.0014, 2), (0.007, 10), (0.02, 29), (1.0, 32)],
)
def test_the_farther_a_store_the_more_is_asked_at_once(round_trip: float, most: int) -> None:
    """Between one request at a time for a store next door and thirty-two for a distant one."""
    widths = Widths(round_trip, known=60).run(lambda _: (0.0, status(304)))
    assert widths[0] == most


def test_a_page_that_was_read_makes_room_for_the_next() -> None:
    """As many requests stay under way until none is left to send."""
    widths = Widths(0.007, known=60).run(lambda _: (0.007, status(304)))
    assert widths == [10] * 51 + list(range(9, 0, -1))


def test_fewer_pages_than_connections_are_asked_all_at_once() -> None:
    """There are never more requests under way than pages."""
    assert Widths(1.0, known=5).run(lambda _: (1.0, status(304))) == [5, 4, 3, 2, 1]


def test_a_store_that_is_nearer_than_thought_is_asked_for_less_at_once() -> None:
    """The quickest answer of a session counts; after it fewer are in flight at once."""
    widths = Widths(1.0, known=60).run(lambda _: (0.0014, status(304)))
    assert widths[0] == 32
    assert max(widths[32:]) == 2


@pytest.mark.parametrize(
    ("thought", "seconds", "begun", "later"),
    [(0.007, 0.014, 10, 10), (0.007, 0.0147, 10, 21), (0.0007, 0.02, 1, 29)],
)
def test_a_store_that_is_farther_than_thought_is_asked_for_more_at_once(
    thought: float, seconds: float, begun: int, later: int
) -> None:
    """Where more than twice as many requests would pay, they are begun."""
    widths = Widths(thought, known=99).run(lambda _: (seconds, status(304)))
    assert widths[0] == begun
    assert max(widths) == later


def test_a_store_that_asks_for_less_is_asked_for_half_at_once() -> None:
    """Each 429 halves the requests under way, down to one at a time; the rest is still read."""
    widths = Widths(1.0, known=60)
    widths.session.retries = 6
    widths.session.max_retry_wait = 10.0
    schedule = Schedule(widths.plan)
    waiting = schedule.start()
    refusals, most = 5, []
    while waiting:
        most.append(sum(isinstance(one.effect, Send) for one in waiting))
        pending = waiting.pop(0)
        widths.clock.advance(1.0)
        outcome: Response | None = None
        if isinstance(pending.effect, Send):
            outcome = status(429 if refusals else 304)
            refusals = max(0, refusals - 1)
        waiting += schedule.answer(pending, outcome)
    schedule.result()
    assert most[0] == 32
    assert max(most[50:]) == 1


def known_as(*pages: tuple[str, str | None, str]) -> Selections:
    """Return one listing of pages: the target, the ETag and the keys of each."""
    return (
        tuple(
            Page(target, etag, columns_of([Setting(key, None, key, None) for key in keys]), None)
            for target, etag, keys in pages
        ),
    )


BEFORE = known_as(("/1", "e1", "ab"), ("/2", "e2", "c"))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE, False),
        ((BEFORE[0],), False),
        (known_as(("/1", "e1", "ab"), ("/2", "e2", "c")), False),
        (known_as(("/1", "e1", "ab"), ("/2", "e2", "x")), False),
        (known_as(("/1", "e1", "ab"), ("/2", "e3", "c")), True),
        (known_as(("/1", "e1", "ab")), True),
        (known_as(("/1", "e3", "a"), ("/1a", "e4", "b"), ("/2", "e2", "c")), False),
        (known_as(("/1", "e3", "abc")), False),
        (known_as(("/1", "e3", "abd")), True),
        (known_as(), True),
        ((), True),
        ((*BEFORE, ()), True),
        ((*BEFORE, *BEFORE), True),
    ],
    ids=[
        "the same",
        "the same pages",
        "equal pages",
        "an equal ETag means an equal page",
        "a page with another ETag",
        "a page is gone",
        "the same settings in more pages",
        "the same settings in fewer pages",
        "another setting in fewer pages",
        "an empty listing",
        "no listing",
        "one more empty listing",
        "one more listing",
    ],
)
def test_listings_differ_by_what_they_hold(after: Selections, expected: bool) -> None:
    """How they are cut into pages does not matter; an ETag tells of any change of its page."""
    assert moved(BEFORE, after) is expected
    assert moved(after, BEFORE) is expected


def test_without_etags_the_settings_tell() -> None:
    """A store that gives none is compared setting by setting."""
    before = known_as(("/1", "e1", "ab"), ("/2", None, "c"))
    assert not moved(before, known_as(("/1", "e1", "ab"), ("/2", None, "c")))
    assert moved(before, known_as(("/1", "e1", "ab"), ("/2", None, "d")))
