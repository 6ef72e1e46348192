"""Putting a listing together from pages that were asked for side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from appconfig_provider._azure.listing.cut_points import Stitching, fragmented, with_texts_of
from appconfig_provider._azure.settings.records import Page, Setting, columns_of


def page(
    target: str, keys: Sequence[str], following: str | None, *, size: int | None = None
) -> Page:
    """Return a page of settings whose values are their keys in capitals."""
    settings = [Setting(key, None, key.upper(), None) for key in keys]
    return Page(
        target,
        f"etag of {keys}",
        columns_of(settings),
        following,
        len(keys) if size is None else size,
    )


def keys_of(pages: Sequence[Page]) -> list[str]:
    """Return the keys of pages, a text for each page."""
    return ["".join(setting.key for setting in one.settings) for one in pages]


def sized(*sizes: int) -> tuple[Page, ...]:
    """Return pages that hold so many settings."""
    return tuple(page(f"/{number}", "k" * size, None) for number, size in enumerate(sizes))


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ((), False),
        (sized(0, 0, 0), False),
        (sized(0, 0, 0, 0), True),
        (sized(4, 4, 4, 0), False),
        (sized(4, 2, 2, 1, 1, 1, 1), False),
        (sized(4, 2, 1, 1, 1, 1, 1, 1), True),
        (sized(4, 4, 4, 4, 4, 4, 4), False),
    ],
)
def test_a_listing_has_too_many_parts_beyond_a_quarter_and_two_more_than_it_needs(
    pages: tuple[Page, ...], expected: bool
) -> None:
    """It needs as many pages as full ones would hold it, and one; an empty one needs one."""
    assert fragmented(pages) is expected


KNOWN = (page("/1", "ace", "/2"), page("/2", "gik", "/3"), page("/3", "moq", None))


@pytest.mark.parametrize(
    ("answers", "gaps"),
    [
        (KNOWN, []),
        ((page("/1", "ac", "/2"), *KNOWN[1:]), []),
        ((*KNOWN[:2], page("/3", "mo", None)), []),
        ((page("/1", "aeg", "/1g"), *KNOWN[1:]), []),
        ((page("/1", "akm", "/1m"), *KNOWN[1:]), []),
        ((page("/1", "abc", "/1c"), *KNOWN[1:]), [0]),
        ((page("/1", "abc", "/1c"), page("/2", "ghi", "/2i"), KNOWN[2]), [0, 1]),
        ((*KNOWN[:2], page("/3", "mno", "/3o")), [2]),
        ((KNOWN[0], page("/2", "g", None), KNOWN[2]), []),
    ],
    ids=[
        "nothing changed",
        "it ends where it did",
        "the listing ends where it did",
        "it reaches into the next part",
        "it reaches beyond the next part",
        "it ends before the next part",
        "two end early",
        "the last goes on",
        "nothing follows any more",
    ],
)
def test_a_gap_is_a_changed_part_that_ends_before_the_next(
    answers: tuple[Page, ...], gaps: list[int]
) -> None:
    """A part without a gap ends at the next cut point, reaches past it, or ends the listing."""
    assert Stitching(KNOWN, answers).gaps() == gaps


def test_a_part_that_did_not_change_has_no_gap() -> None:
    """Not even one whose link leads into the next part, which holds what it reached into."""
    known = (page("/1", "ae", "/1g", size=3), *KNOWN[1:])
    assert Stitching(known, known).gaps() == []


@pytest.mark.parametrize(
    ("keys", "expected"), [("ace", False), ("gik", False), ("xyz", False), ("km", True)]
)
def test_a_page_reaches_the_next_part_by_a_setting_of_a_later_one(
    keys: str, expected: bool
) -> None:
    """Settings of its own part, of an earlier one, or new ones are no step towards the next."""
    recut = Stitching(KNOWN, (KNOWN[0], page("/2", "ghi", "/2i"), KNOWN[2]))
    assert recut.reaches(1, page("/2x", keys, "/2z")) is expected
    assert not recut.reaches(0, page("/1x", "xyz", "/1z"))


def test_pages_that_close_a_gap_stand_after_their_part() -> None:
    """After an insertion the listing has the new page between the parts, each as it came."""
    first, inserted = page("/1", "abc", "/1c"), page("/1c", "e", "/2")
    whole = Stitching(KNOWN, (first, *KNOWN[1:])).whole({0: [inserted]})
    assert keys_of(whole) == ["abc", "e", "gik", "moq"]
    assert whole[1] is inserted


@pytest.mark.parametrize(
    ("answers", "followers", "expected"),
    [
        ((page("/1", "aeg", "/1g"), *KNOWN[1:]), {}, ["ae", "gik", "moq"]),
        ((KNOWN[0], page("/2", "gim", "/2m"), KNOWN[2]), {}, ["ace", "gi", "moq"]),
        (
            (page("/1", "abc", "/1c"), *KNOWN[1:]),
            {0: [page("/1c", "egi", "/1i")]},
            ["abc", "e", "gik", "moq"],
        ),
    ],
    ids=["the first into the second", "the second into the last", "a gap closed too far"],
)
def test_a_setting_of_two_pages_counts_in_the_later_one(
    answers: tuple[Page, ...], followers: dict[int, list[Page]], expected: list[str]
) -> None:
    """What a page holds of the next part stands there alone."""
    assert keys_of(Stitching(KNOWN, answers).whole(followers)) == expected


def test_a_page_that_keeps_all_its_settings_stays_the_same_object() -> None:
    """Only a page that loses settings to a later one is made anew, with its ETag and its size."""
    answers = (page("/1", "aeg", "/1g"), *KNOWN[1:])
    cut, *others = Stitching(KNOWN, answers).whole({})
    assert all(one is other for one, other in zip(others, KNOWN[1:], strict=True))
    assert cut == answers[0]._replace(columns=cut.columns)
    assert cut.size == 3


def test_a_page_that_lost_settings_before_loses_what_others_hold_now() -> None:
    """A listing with a page that was cut is gone through again, though its parts meet."""
    cut = page("/1", "ac", "/2", size=3)
    known = (cut, page("/2", "gi", None, size=3))
    answers = (cut, page("/2", "cg", None, size=3))
    assert keys_of(Stitching(known, answers).whole({})) == ["a", "cg"]


def test_unchanged_texts_are_the_same_objects_again() -> None:
    """Of a page that was read anew, keys and values that did not change are those held before."""
    before = (page("/1", ["key one", "key two"], "/2"), page("/2", ["key three"], None))
    fresh = page("/1", [], "/2")
    keys = tuple(f"key {name}" for name in ("one", "two", "four"))
    values = ("key one".upper(), "other", "KEY FOUR")
    fresh = fresh._replace(columns=fresh.columns._replace(keys=keys, values=values))
    after, last = with_texts_of(before, (fresh, before[1]))
    assert after == fresh
    assert last is before[1]
    for place in (0, 1):
        assert after.columns.keys[place] is before[0].columns.keys[place]
    assert after.columns.values[0] is before[0].columns.values[0]
    assert after.columns.values[1:] == ("other", "KEY FOUR")


def test_a_label_tells_two_settings_of_a_key_apart() -> None:
    """A text is taken over only from the setting of the same key and label."""

    def labelled(value: str) -> Page:
        settings = [Setting("key", None, "plain", None), Setting("key", "prod", value, None)]
        return Page("/1", value, columns_of(settings), None, 2)

    before, fresh = (labelled("old"),), (labelled("new"),)
    (after,) = with_texts_of(before, fresh)
    assert after == fresh[0]


def test_a_listing_that_nothing_was_replaced_in_is_handed_back() -> None:
    """With every page known, or none known before, pages are the objects that were read."""
    for before in (KNOWN, ()):
        after = with_texts_of(before, KNOWN)
        assert all(one is other for one, other in zip(after, KNOWN, strict=True))
