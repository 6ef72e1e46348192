"""From pages to settings: what stands for itself, what is replaced, and what is left out."""

from __future__ import annotations

import pytest

from appconfig_provider._azure.settings.layering import (
    content_types,
    entries,
    in_order,
    layer,
    referenced_snapshots,
    vault_references,
)
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider.models import FLAG_PREFIX
from tests.support.content import FLAG_TYPE, VAULT_TYPE

REFERENCE_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'


def plain(key: str, value: str = "v", content_type: str | None = None) -> Setting:
    """Return a setting without label."""
    return Setting(key, None, value, content_type)


FLAG = plain(f"{FLAG_PREFIX}beta", "{}", FLAG_TYPE)
ONE = plain("one", '{"snapshot_name": "first"}', REFERENCE_TYPE)
TWO = plain("two", '{"snapshot_name": "second"}', REFERENCE_TYPE)
A, B, C = plain("a"), plain("b", "{}", "application/json"), plain("c", "{}", VAULT_TYPE)


def page(*settings: Setting) -> Page:
    """Return a page of settings."""
    return Page("/kv", None, columns_of(settings), None)


SNAPSHOTS = {"first": (page(FLAG, plain("x")), page(TWO, plain("y"))), "second": (page(),)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), []),
        ((A, B, C), [A, B, C]),
        ((A, FLAG, B), [A, B]),
        ((A, ONE, B), [A, plain("x"), plain("y"), B]),
        ((ONE, FLAG, A), [plain("x"), plain("y"), A]),
        ((A, TWO), [A]),
    ],
    ids=["nothing", "plain", "a flag", "a reference", "both", "an empty snapshot"],
)
def test_a_reference_is_replaced_where_it_stands_and_flags_are_left_out(
    settings: tuple[Setting, ...], expected: list[Setting]
) -> None:
    """Inside a snapshot neither flags nor further references count."""
    selections = [(page(*settings),), (page(A),)]
    assert list(in_order(selections, SNAPSHOTS)) == [*expected, A]
    winners = entries(selections, SNAPSHOTS, ())
    values = {key: one.value if isinstance(one, Setting) else one for key, one in winners.items()}
    assert values == {one.key: one.value for one in [*expected, A]}


def test_the_snapshots_that_are_referred_to_are_named_once() -> None:
    """In their order, whatever else stands beside them."""
    assert referenced_snapshots([(page(A, B), page(TWO, A)), (page(FLAG, ONE, TWO),)]) == (
        "second",
        "first",
    )
    assert referenced_snapshots([(page(A, FLAG),)]) == ()


def test_a_prefix_is_cut_before_the_later_setting_wins() -> None:
    """`app/host` and `host` are one key; without prefixes they are two."""
    settings = [plain("app/host", "1"), plain("host", "2"), plain("app/port", "3")]
    assert layer(settings, ("app/",)) == {"host": settings[1], "port": settings[2]}
    assert list(layer(settings, ())) == ["app/host", "host", "app/port"]
    selections = [(page(*settings),)]
    assert entries(selections, {}, ("app/",)) == {"host": "2", "port": "3"}
    assert entries(selections, {}, ()) == {"app/host": "1", "host": "2", "app/port": "3"}


def test_what_is_left_to_be_resolved_and_reported_is_found_by_type() -> None:
    """Key Vault references by their keys, and each content type once."""
    winners = entries([(page(A, B, C),)], {}, ())
    assert vault_references(winners) == {"c": C}
    assert content_types(winners) == {"application/json", VAULT_TYPE}
    assert vault_references(layer([A, B], ())) == {}
    assert content_types(layer([A], ())) == set()
