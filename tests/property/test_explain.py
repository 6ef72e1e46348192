"""`explain` and layering are two readings of the same pages: they must agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider import SettingSelector
from appconfig_provider._azure.settings.layering import Pages, in_order, layer, trim
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider._azure.settings.sources import Sources
from tests.property.strategies import PREFIXES

REFERENCE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
FLAG = "application/vnd.microsoft.appconfig.ff+json"
NAMES = ("one", "two", "not loaded")
KEYS = st.text("ab/", min_size=1, max_size=3)


@st.composite
def pages(draw: st.DrawFn) -> Pages:
    """Give one or two pages of plain settings, flags and references."""
    found = []
    for _ in range(draw(st.integers(1, 2))):
        settings = []
        for _ in range(draw(st.integers(0, 3))):
            kind = draw(st.sampled_from([None, None, None, FLAG, REFERENCE]))
            value = f'{{"snapshot_name": "{draw(st.sampled_from(NAMES))}"}}'
            settings.append(Setting(draw(KEYS), None, value, kind))
        found.append(Page("", None, columns_of(settings), None))
    return tuple(found)


def numbered(given: Pages, name: str) -> Pages:
    """Give each setting a label of its own, so that explanations tell them apart."""
    return tuple(
        page._replace(
            columns=columns_of(
                [
                    setting._replace(label=f"{name}.{number}.{place}")
                    for place, setting in enumerate(page.settings)
                ]
            )
        )
        for number, page in enumerate(given)
    )


@given(st.lists(pages(), max_size=3), pages(), pages(), PREFIXES)
def test_explain_agrees_with_layering(
    listed: list[Pages], one: Pages, two: Pages, prefixes: list[str]
) -> None:
    """The winner is the setting whose value counts; the shadows are all other candidates.

    The next best one comes first, and each is reported with the selector and snapshot it came by.
    """
    cut = tuple(sorted(filter(None, prefixes), key=len, reverse=True))
    selections = tuple(numbered(each, f"s{place}") for place, each in enumerate(listed))
    references = {"one": numbered(one, "one"), "two": numbered(two, "two")}
    selectors = tuple(SettingSelector(key_filter=f"{place}") for place in range(len(listed)))
    sources = Sources(selectors, selections, references, cut)
    settings = list(in_order(selections, references))
    for key, winner in layer(settings, cut).items():
        reported = sources.explain(key)
        every = [(each.key, each.label) for each in (reported, *reported.shadows)]
        candidates = [each for each in settings if trim(each.key, cut) == key]
        assert every[0] == (winner.key, winner.label)
        assert every == [(each.key, each.label) for each in reversed(candidates)]
        for each in (reported, *reported.shadows):
            found_in, _, _ = (each.label or "").partition(".")
            inside = found_in in references
            assert each.snapshot_name == (found_in if inside else None)
            assert each.origin == ("snapshot" if inside else "store")
            assert inside or each.selector == selectors[int(found_in[1:])]
