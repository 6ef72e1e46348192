"""Where a value came from: setting, selector and snapshot, and never a value."""

from __future__ import annotations

import json

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider._azure.settings.sources import Sources
from appconfig_provider.models import Explanation
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.content import VAULT_TYPE

REFERENCE_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
ALL = SettingSelector(key_filter="*")
FROZEN = SettingSelector(snapshot_name="frozen")


def plain(key: str, label: str | None = None) -> Setting:
    """Return a setting."""
    return Setting(key, label, "v", None, {"team": "blue"})


def secret(uri: object) -> Setting:
    """Return a Key Vault reference."""
    return Setting("pw", None, json.dumps({"uri": uri}), VAULT_TYPE)


def page(*settings: Setting) -> Page:
    """Return a page of settings."""
    return Page("/kv", None, columns_of(settings), None)


def sources(*settings: Setting, made: dict[str, str] | None = None) -> Sources:
    """Return the sources of settings that one selector found, and of a snapshot after it."""
    selections = ((page(*settings),), (page(plain("k", "frozen")),))
    references = {"one": (page(plain("app/k", "inside"), plain("other")),)}
    return Sources((ALL, FROZEN), selections, references, ("app/",), made or {})


REFERENCE = Setting("ref", None, '{"snapshot_name": "one"}', REFERENCE_TYPE)


def test_every_setting_of_a_key_is_named_the_winner_first() -> None:
    """Those it won over stand behind it, the next best first, each with where it was found."""
    found = sources(plain("app/k"), plain("x"), REFERENCE, plain("k", "late")).explain("k")
    reported = [
        (one.key, one.label, one.origin, one.selector, one.snapshot_name)
        for one in (found, *found.shadows)
    ]
    assert reported == [
        ("k", "frozen", "snapshot", FROZEN, "frozen"),
        ("k", "late", "store", ALL, None),
        ("app/k", "inside", "snapshot", ALL, "one"),
        ("app/k", None, "store", ALL, None),
    ]


def test_an_explanation_has_all_that_is_known_but_the_value() -> None:
    """Tags are shown as they are; those that are none, as none."""
    setting = Setting("x", "prod", "1", "application/json", {"a": None})
    assert sources(setting).explain("x") == Explanation(
        "x", "prod", "application/json", {"a": None}, origin="store", selector=ALL
    )
    bare = Setting("y", None, "1", None)
    assert sources(bare).explain("y").tags == {}


def test_a_key_that_no_setting_stands_for_is_a_key_error() -> None:
    """The whole key of a setting is none where its prefix is cut."""
    found = sources(plain("app/x"), REFERENCE)
    for key in ("app/x", "gone", "ref"):
        with pytest.raises(KeyError, match=key):
            found.explain(key)


def test_a_key_that_a_mapper_made_is_explained_by_the_setting_it_was_made_from() -> None:
    """Any other key is explained by itself."""
    found = sources(plain("x"), plain("y"), made={"new": "x", "y": "y"})
    assert found.explain("new").key == "x"
    assert found.explain("y").key == "y"


@pytest.mark.parametrize(
    ("uri", "secret_id"),
    [
        ("https://v.vault.azure.net/secrets/pw/1", "https://v.vault.azure.net/secrets/pw/1"),
        ("https://user:hunter2@host:8443/a?sig=s#f", "https://host:8443/a"),
        ("", None),
        (7, None),
        ("https://[broken/", None),
        ("vault:pw", None),
        ("user:hunter2", None),
        ("hunter2", None),
    ],
)
def test_a_secret_is_reported_by_its_address_alone(uri: object, secret_id: str | None) -> None:
    """What only a resolver understands may hold a password or a signature, which are left out."""
    found = sources(secret(uri)).explain("pw")
    assert (found.origin, found.secret_id) == ("secret", secret_id)


def test_a_plain_setting_names_no_secret() -> None:
    """Even if its text looks like a reference to one."""
    text = json.dumps({"uri": "https://v.vault.azure.net/secrets/pw"})
    assert sources(Setting("x", None, text, None)).explain("x").secret_id is None


@pytest.mark.parametrize("uri", ["user:hunter2", "hunter2"])
def test_what_is_no_address_is_not_repeated(load: Loader, store: Emulator, uri: str) -> None:
    """A resolver may understand any text, which may be a password itself."""
    store.set_secret("pw", uri)
    with load(connection_string=store.connection_string, secret_resolver=str) as config:
        assert config.snapshot["pw"] == uri
        reported = config.snapshot.explain("pw")
    assert reported.origin == "secret"
    assert "hunter2" not in repr(reported)
