"""The filter grammar, as values and as SQL."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appconfig_provider.emulator import Draft, Store
from appconfig_provider.emulator.filters import (
    Anything,
    FilterError,
    NameFilter,
    OneOf,
    StartsWith,
    TagFilter,
    parse_name_filter,
    parse_tag_filters,
)
from appconfig_provider.emulator.queries import Position, Selection
from appconfig_provider.emulator.steps import at_once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Anything()),
        ("", Anything()),
        ("*", Anything()),
        ("*abc", Anything()),
        ("\0", OneOf((None,))),
        ("abc", OneOf(("abc",))),
        ("abc*", StartsWith("abc")),
        (r"abc\*", OneOf(("abc*",))),
        (r"abc\\*", StartsWith("abc\\")),
        (r"a\,b,c", OneOf(("a,b", "c"))),
        ("a,\0,", OneOf(("a", None, ""))),
        (r"\a\b", OneOf(("ab",))),
        ("abc\\", OneOf(("abc",))),
        ("a,b,c,d,e", OneOf(("a", "b", "c", "d", "e"))),
    ],
)
def test_name_filter(text: str | None, expected: NameFilter) -> None:
    """A name filter is anything, a prefix, or a list of names; a backslash takes meaning away."""
    assert parse_name_filter(text, "key") == expected


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("test'@*$!%", "label(6): Invalid character"),
        ("a**", "label(1): Invalid character"),
        ("ab,c*", "label(4): Invalid character"),
        (r"\**a", "label(2): Invalid character"),
        ("a,b,c,d,e,f", "label: Too many values. Maximum supported is 5"),
        ("a*,b,c,d,e,f", "label: Too many values. Maximum supported is 5"),
    ],
)
def test_name_filter_errors(text: str, detail: str) -> None:
    """A misplaced wildcard is named by its position in the text; six names are too many."""
    with pytest.raises(FilterError) as caught:
        parse_name_filter(text, "label")
    assert (caught.value.name, caught.value.detail) == ("label", detail)


def test_tag_filters() -> None:
    """A tag filter has one unescaped '='; a NUL is the null value, nothing the empty one."""
    texts = ["env=prod", "t=\0", "x=", r"a\=b=c\*", "", "  "]
    assert parse_tag_filters(texts) == (
        TagFilter("env", "prod"),
        TagFilter("t", None),
        TagFilter("x", ""),
        TagFilter("a=b", "c*"),
    )


@pytest.mark.parametrize("text", ["a", "a=b=c", "=a", "\0=a", "a*=b", "a=b*", "a=b,c", r"a\=b"])
def test_tag_filter_errors(text: str) -> None:
    """A tag filter without a name, with none or two '=', or with a wildcard is an error."""
    with pytest.raises(FilterError) as caught:
        parse_tag_filters([text])
    assert caught.value.name == "tags"


def test_too_many_tag_filters() -> None:
    """Six tag filters are too many."""
    with pytest.raises(FilterError, match="Maximum supported is 5"):
        parse_tag_filters(["a=b"] * 6)


def naive_matches(text: str, name: str | None) -> bool:
    """The grammar once more, by indexes into the text and without a thought for speed."""
    if text == "" or text[0] == "*":
        return True
    if text == "\0":
        return name is None
    free = [i for i in range(len(text)) if _backslashes_before(text, i) % 2 == 0]
    commas = [i for i in free if text[i] == ","]
    if commas:
        starts, ends = [0, *(i + 1 for i in commas)], [*commas, len(text)]
        parts = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        if len(parts) > 5 or any(_has_free(part, "*") for part in parts):
            raise ValueError(text)
        wanted = [None if part == "\0" else _unescape(part) for part in parts]
        return name in wanted and name != ""
    if text[-1] == "*" and len(text) - 1 in free:
        if _has_free(text[:-1], "*"):
            raise ValueError(text)
        return name is not None and name.startswith(_unescape(text[:-1]))
    if _has_free(text, "*"):
        raise ValueError(text)
    return name is not None and name == _unescape(text)


def _backslashes_before(text: str, index: int) -> int:
    return len(text[:index]) - len(text[:index].rstrip("\\"))


def _has_free(text: str, character: str) -> bool:
    return any(
        text[i] == character and _backslashes_before(text, i) % 2 == 0 for i in range(len(text))
    )


def _unescape(text: str) -> str:
    kept, index = "", 0
    while index < len(text):
        index += text[index] == "\\"
        kept += text[index : index + 1]
        index += 1
    return kept


NAMES = ["a", "ab", "b", "a*", "a,b", "a\\", "aé", "a\ud7ff", "a\U0010ffff", "\U0010ffffb"]
FILTERS = st.text(alphabet="ab*,\\é\ud7ff\U0010ffff", max_size=7) | st.just("\0")


@given(FILTERS)
def test_filters_select_what_the_grammar_says(text: str) -> None:
    """What SQL selects by label is what a second, naive reading of the grammar selects."""
    labels = [None, *NAMES]
    with closing(Store()) as store:
        store.load(Draft("k", label) for label in labels)
        try:
            expected = {label for label in labels if naive_matches(text, label)}
        except ValueError:
            with pytest.raises(FilterError):
                parse_name_filter(text, "label")
            return
        wanted = parse_name_filter(text, "label")
        found = store.page(Selection(label=wanted), None, 100)
        assert {setting.label for setting in found} == expected
        listed: list[str] = at_once(store.walks.labels(wanted, None, 100))
        assert {name or None for name in listed} == expected


@given(FILTERS, st.integers(1, 4))
def test_pages_cut_a_listing_without_loss(text: str, size: int) -> None:
    """The pages of any filter, put together, are the listing in key and label order."""
    with closing(Store()) as store:
        store.load(Draft(key, label) for key in NAMES for label in (None, "x"))
        try:
            selection = Selection(key=parse_name_filter(text, "key"))
        except FilterError:
            return
        everything = store.page(selection, None, 100)
        assert everything == sorted(everything, key=lambda s: (s.key.encode(), s.label or ""))
        found = page = store.page(selection, None, size)
        while len(page) == size:
            last = page[-1]
            page = store.page(selection, Position(last.key, last.label or ""), size)
            found = [*found, *page]
        assert found == everything


#: What has a meaning in the JSON that tags are stored as.
ODD = st.text(alphabet='{}",: \\a0n', max_size=5)
TAGS = st.dictionaries(ODD.filter(bool), st.none() | ODD, max_size=3)
ODD_TAGS = {"0": "x, ", ": ": "c"}


@given(st.lists(TAGS, max_size=5), TAGS)
@example([ODD_TAGS], {", ": ": "})
@example([{"0": "x{", ": ": "c"}], {", ": ": "})
@example([ODD_TAGS, {"0": "null"}], {"0": None})
def test_tags_select_what_carries_them(
    stored: list[dict[str, str | None]], wanted: dict[str, str | None]
) -> None:
    """What SQL selects by tags carries each of them with its value, however odd the texts are."""
    filters = tuple(TagFilter(name, value) for name, value in wanted.items())
    with closing(Store()) as store:
        store.load(Draft(f"k{number}", tags=tags) for number, tags in enumerate(stored))
        found = store.page(Selection(tags=filters), None, 100)
        assert [setting.tags for setting in found] == [
            tags for tags in stored if wanted.items() <= tags.items()
        ]
