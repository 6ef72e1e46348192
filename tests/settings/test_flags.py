"""Feature flags as data: what is kept, what is left out, and the metadata of telemetry."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from appconfig_provider._azure.settings.flags import read_flags
from appconfig_provider._azure.settings.records import Details, Page, Setting, columns_of
from appconfig_provider.flag_values import to_value
from appconfig_provider.flags import FeatureManager
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE

ORIGIN = "https://one.azconfig.io"


def setting(
    name: str, flag: object, label: str | None = None, content_type: str = FLAG_TYPE
) -> Setting:
    """Return a flag as the store keeps it."""
    text = flag if isinstance(flag, str) else json.dumps(flag)
    details = Details(f"etag of {name}", None, locked=False)
    return Setting(FLAG_PREFIX + name, label, text, content_type, None, details)


def read(*settings: Setting) -> dict[str, Any]:
    """Return the flags of settings that are all well formed."""
    flags, problems, _ = read_flags([(Page("/kv", None, columns_of(settings), None),)], ORIGIN)
    assert problems == []
    return flags


def metadata(flag: dict[str, Any], label: str | None = None) -> dict[str, Any]:
    """Return the telemetry metadata of a flag."""
    held: dict[str, Any] = read(setting("beta", flag, label))["beta"]["telemetry"]["metadata"]
    return held


def test_a_flag_without_id_is_called_by_its_key() -> None:
    """Without telemetry its metadata is the ETag alone."""
    assert read(setting("beta", {"enabled": True})) == {
        "beta": {
            "id": "beta",
            "enabled": True,
            "telemetry": {"metadata": {"ETag": "etag of beta"}},
        }
    }
    assert list(read(setting("beta", {"id": "other"}))) == ["other"]


def test_of_one_id_the_last_counts_and_stands_where_it_stands() -> None:
    """The list has the order of those that won."""
    settings = (
        setting("a", {"enabled": True}),
        setting("b", {}),
        setting("c", {"id": "a", "n": 2}),
    )
    flags, problems, _ = read_flags([(Page("/kv", None, columns_of(settings), None),)], ORIGIN)
    assert [one.key for one in problems] == [FLAG_PREFIX + "a"]
    assert list(flags) == ["b", "a"]
    assert flags["a"]["n"] == 2


def test_what_is_no_flag_is_passed_over() -> None:
    """A plain setting that a filter met is neither a flag nor a problem."""
    assert list(read(setting("a", {}, content_type="application/json"), setting("b", {}))) == ["b"]


@pytest.mark.parametrize(
    "flag",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
    ],
    ids=str,
)
def test_a_malformed_flag_is_left_out_and_told(flag: object) -> None:
    """The others stay; the problem names its key and its label, not its text."""
    settings = [setting("bad", flag, "prod"), setting("good", {})]
    flags, problems, _ = read_flags([(Page("/kv", None, columns_of(settings), None),)], ORIGIN)
    assert list(flags) == ["good"]
    (problem,) = problems
    assert (problem.key, problem.label) == (f"{FLAG_PREFIX}bad", "prod")
    assert "malformed feature flag" in problem.message


@pytest.mark.parametrize(
    "flag",
    [
        {"conditions": []},
        {"conditions": {"client_filters": {}}},
        {"conditions": {"client_filters": [7]}},
        {"conditions": {"client_filters": [{"name": "x"}, None]}},
        {"conditions": {"client_filters": [{"name": 7}]}},
        {"variants": {}},
        {"variants": [7]},
        {"variants": [None]},
        {"allocation": []},
        {"telemetry": []},
        {"telemetry": {"metadata": 7}},
        {"telemetry": {"enabled": True}, "allocation": {"percentile": [{}]}},
        {
            "conditions": {"client_filters": "abc"},
            "variants": 5,
            "allocation": "no",
            "telemetry": 1,
        },
    ],
    ids=str,
)
def test_a_flag_of_another_shape_stays_as_it_is(
    load: Loader, store: Emulator, flag: dict[str, Any]
) -> None:
    """Whoever evaluates it says what is wrong with it; the others are not concerned."""
    for name, more in (("bad", flag), ("good", {})):
        text = json.dumps({"id": name, "enabled": True, **more})
        store.set(FLAG_PREFIX + name, text, content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        listed: Any = config.snapshot["feature_management"]
        assert [one["id"] for one in listed["feature_flags"]] == ["bad", "good"]
        kept = dict(listed["feature_flags"][0])
        assert {name: kept[name] for name in flag if name != "telemetry"} == {
            name: part for name, part in flag.items() if name != "telemetry"
        }
        assert FeatureManager(config.snapshot).is_enabled("good")
        assert FeatureManager(config.snapshot).evaluate("good").error is None


@pytest.mark.parametrize(
    "flag",
    [
        {"conditions": None, "variants": None, "allocation": None},
        {"conditions": {"client_filters": None}},
        {"telemetry": None},
        {"telemetry": {"metadata": None}},
        {"id": None},
        {"conditions": {"client_filters": [{}, {"name": None}]}},
    ],
    ids=str,
)
def test_null_counts_as_nothing(flag: dict[str, Any]) -> None:
    """A part that is null is as good as one that is not there."""
    assert read(setting("beta", flag))["beta"]["id"] == "beta"


def test_a_flag_stays_as_it_is_in_the_store() -> None:
    """As a value it is equal to what was read, with filters and without."""
    filters: list[dict[str, object]] = [{"name": "x"}]
    cases: list[dict[str, object]] = [
        {},
        {"client_filters": []},
        {"client_filters": filters, "more": 1},
    ]
    for conditions in cases:
        flag = {"id": "beta", "conditions": conditions}
        assert to_value(dict(flag)) == flag
    assert to_value({"id": "beta"}) == {"id": "beta"}


@pytest.mark.parametrize(
    ("label", "query"), [(None, ""), ("", ""), ("  ", ""), ("prod", "?label=prod")]
)
def test_with_telemetry_a_flag_tells_its_address(label: str | None, query: str) -> None:
    """The address is that of the setting, with its label where it has one."""
    address = f"{ORIGIN}/kv/{FLAG_PREFIX}beta{query}"
    held = metadata({"telemetry": {"enabled": True}}, label)
    assert held == {"ETag": "etag of beta", "FeatureFlagReference": address}
    assert metadata({"telemetry": {"enabled": False}}, label) == {"ETag": "etag of beta"}


def test_metadata_of_its_own_stays() -> None:
    """What a flag already tells is kept beside what is added."""
    held = metadata({"telemetry": {"metadata": {"team": "blue", "ETag": "old"}}})
    assert held == {"team": "blue", "ETag": "etag of beta"}


def encoded(text: str) -> str:
    """Return text as the id has it."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("allocation", "text"),
    [
        ({"seed": "s"}, "seed=s\ndefault_when_enabled=\npercentiles=\nvariants="),
        (
            {"default_when_enabled": "On"},
            f'seed=\ndefault_when_enabled=On\npercentiles=\nvariants={encoded("On")},{{"a":1,"b":[2]}}',
        ),
        (
            {
                "seed": "s",
                "default_when_enabled": "Off",
                "percentile": [
                    {"variant": "On", "from": 50, "to": 100},
                    {"variant": "Never", "from": 50, "to": 50},
                    {"variant": "Off", "from": 0, "to": 50},
                ],
            },
            "\n".join(
                [
                    "seed=s",
                    "default_when_enabled=Off",
                    f"percentiles=0,{encoded('Off')},50;50,{encoded('On')},100",
                    f'variants={encoded("Off")},;{encoded("On")},{{"a":1,"b":[2]}}',
                ]
            ),
        ),
    ],
    ids=["a seed", "a default", "percentiles"],
)
def test_the_id_of_an_allocation_is_a_hash_of_what_it_gives_to_whom(
    allocation: dict[str, Any], text: str
) -> None:
    """Shares in order, without empty ones; variants by name, with their values as sorted JSON."""
    flag = {
        "telemetry": {"enabled": True},
        "variants": [
            {"name": "Unused", "configuration_value": 1},
            {"name": "On", "configuration_value": {"b": [2], "a": 1}},
            {"name": "Off"},
        ],
        "allocation": allocation,
    }
    digest = hashlib.sha256(text.encode()).digest()
    expected = base64.urlsafe_b64encode(digest[:15]).decode()
    assert metadata(flag)["AllocationId"] == expected


@pytest.mark.parametrize(
    "allocation",
    [None, {}, {"percentile": []}, {"percentile": None}, {"user": [{"users": ["a"]}]},
     {"percentile": [{"variant": "On", "from": 5, "to": 5}]}, {"seed": ""}],
)  # fmt: skip
def test_an_allocation_that_gives_nobody_anything_has_no_id(allocation: object) -> None:
    """Without seed and without variants that are used there is nothing to tell apart."""
    flag = {"telemetry": {"enabled": True}, "allocation": allocation, "variants": [{"name": "On"}]}
    assert "AllocationId" not in metadata(flag)


def test_a_default_variant_that_is_empty_still_makes_an_id() -> None:
    """It is counted among the variants that are used because it is named."""
    flag = {"telemetry": {"enabled": True}, "allocation": {"default_when_enabled": ""}}
    assert metadata(flag)["AllocationId"]


def test_two_keys_with_one_id_are_told(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The later one counts, and one warning names both keys; labels of one key are fine."""
    for name in ("a", "b"):
        flag = {"id": "same", "enabled": name == "b"}
        store.set(FLAG_PREFIX + name, json.dumps(flag), content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        assert FeatureManager(config.snapshot).is_enabled("same")
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert told == (
        f"setting '{FLAG_PREFIX}a' (label None) is a feature flag with the id 'same', like "
        f"'{FLAG_PREFIX}b', which counts as it comes later; give one of them another id"
    )
    assert len(read(setting("a", {"id": "a"}), setting("a", {"id": "a"}, "prod"))) == 1
