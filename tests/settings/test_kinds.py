"""What a setting is, by its content type, and the JSON it holds."""

from __future__ import annotations

import pytest

from appconfig_provider._azure.settings.content import Kind, kind_of, kind_of_setting, parse_json
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider.decoding import Undecodable
from appconfig_provider.models import FLAG_PREFIX
from tests.support.content import FLAG_TYPE, VAULT_TYPE

PROFILE = 'profile="https://azconfig.io/mime-profiles/snapshot-ref"'


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("", Kind.TEXT),
        ("text/plain", Kind.TEXT),
        ("application/json", Kind.JSON),
        (" Application/JSON ; charset=utf-8", Kind.JSON),
        ("application/json; charset=utf-8; x=y", Kind.JSON),
        ("application/problem+json", Kind.JSON),
        ("application/json+x", Kind.JSON),
        ("application/jsonx", Kind.TEXT),
        ("text/json", Kind.TEXT),
        ("application", Kind.TEXT),
        ("application/x;json", Kind.TEXT),
        (FLAG_TYPE, Kind.FLAG),
        (FLAG_TYPE + "; x=y", Kind.FLAG),
        ("x " + FLAG_TYPE, Kind.TEXT),
        ("application/vnd.microsoft.appconfig.ff+json", Kind.JSON),
        (VAULT_TYPE, Kind.VAULT_REFERENCE),
        (VAULT_TYPE + "; x=y", Kind.VAULT_REFERENCE),
        (f"application/json; {PROFILE}; charset=utf-8", Kind.SNAPSHOT_REFERENCE),
        (f" APPLICATION/JSON;charset=utf-8;{PROFILE.upper()}", Kind.SNAPSHOT_REFERENCE),
        (f"text/plain; {PROFILE}", Kind.TEXT),
        ("application/json" + " " * 600, Kind.JSON),
        (FLAG_TYPE + " " * 600, Kind.FLAG),
    ],
)
def test_a_content_type_says_what_a_text_means(content_type: str, kind: Kind) -> None:
    """In any case and with parameters; those of the service must begin as it writes them."""
    assert kind_of(content_type) is kind
    assert kind_of(content_type) is kind


def test_the_type_of_a_flag_counts_below_its_prefix_alone() -> None:
    """On another key it means JSON, and without a type a setting is text."""
    for key, kind in ((FLAG_PREFIX + "b", Kind.FLAG), ("b", Kind.JSON)):
        assert kind_of_setting(Setting(key, None, "{}", FLAG_TYPE)) is kind
    for empty in (None, ""):
        assert kind_of_setting(Setting("b", None, "{}", empty)) is Kind.TEXT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("null", None),
        ('{"a": [1, 2.5, true]}', {"a": [1, 2.5, True]}),
        ('// above\n{"a": /* inside */ 1} // behind', {"a": 1}),
        ('{"a": "// no comment", "b": "/* none */"}', {"a": "// no comment", "b": "/* none */"}),
        (r'{"a": "\"// none"} // one', {"a": '"// none'}),
        ("/* several\nlines */ 1", 1),
    ],
)
def test_json_may_have_comments(text: str | None, value: object) -> None:
    """Inside a string there is none."""
    assert parse_json(text) == value


@pytest.mark.parametrize(
    "text", ["", "{", "1/**/2", "/* without end", "{'a': 1}", "nul", '"//', '{"a": 1,}', "[" * 101]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    """With comments or without; a comment parts what stands around it."""
    with pytest.raises(Undecodable):
        parse_json(text)
