"""The first line of each request: lower-case names in order, values percent-encoded."""

from __future__ import annotations

import json

import pytest

from appconfig_provider import SettingSelector, WatchKey
from appconfig_provider._azure.rest.requests import (
    clock_target,
    delete_request,
    key_target,
    list_target,
    put_request,
    secret_target,
    snapshot_list_target,
    snapshot_target,
)
from appconfig_provider._azure.vaults import SecretIdentifier
from appconfig_provider._plan import Request

API = "api-version=2024-09-01"
ORIGIN = "https://one.azconfig.io"


@pytest.mark.parametrize(
    ("selector", "prefix", "query"),
    [
        (SettingSelector(key_filter="*"), "", f"{API}&key=%2A&label=%00"),
        (
            SettingSelector(key_filter="app/ä b", label_filter="prod&dev"),
            "",
            f"{API}&key=app%2F%C3%A4%20b&label=prod%26dev",
        ),
        (
            SettingSelector(key_filter="a*", label_filter="*", tag_filters=["x=1", "a=2/3"]),
            "",
            f"{API}&key=a%2A&label=%2A&tags=x%3D1&tags=a%3D2%2F3",
        ),
        (
            SettingSelector(key_filter="beta*"),
            ".appconfig.featureflag/",
            f"{API}&key=.appconfig.featureflag%2Fbeta%2A&label=%00",
        ),
    ],
)
def test_a_listing_names_filters_and_keeps_the_order_of_tags(
    selector: SettingSelector, prefix: str, query: str
) -> None:
    """Nothing of a value stands as it is that could be taken for a part of the query."""
    assert list_target(selector, prefix) == f"/kv?{query}"


def test_a_setting_and_its_label_are_encoded() -> None:
    """A slash inside a key is no part of the path."""
    assert key_target(WatchKey("a/b c")) == f"/kv/a%2Fb%20c?{API}"
    assert key_target(WatchKey("a", "prod/1")) == f"/kv/a?{API}&label=prod%2F1"


def test_a_snapshot_is_encoded_in_path_and_query() -> None:
    """It is described at one target and listed at another."""
    assert snapshot_target("two words/1") == f"/snapshots/two%20words%2F1?{API}"
    assert snapshot_list_target("two words/1") == f"/kv?{API}&snapshot=two%20words%2F1"


def test_a_secret_is_asked_for_with_its_version_if_it_names_one() -> None:
    """Key Vault has versions of its own API."""
    for version, path in ((None, "/secrets/pw"), ("7f", "/secrets/pw/7f")):
        identifier = SecretIdentifier("https://v", "pw", version)
        assert secret_target(identifier) == f"{path}?api-version=7.4"


def test_the_time_is_asked_for_with_a_small_answer() -> None:
    """A name that no setting has makes it small."""
    assert clock_target() == f"/keys?{API}&name=.appconfig"


@pytest.mark.parametrize(
    ("etag", "condition"), [(None, ("if-none-match", "*")), ("e1", ("if-match", '"e1"'))]
)
def test_a_write_is_refused_when_somebody_wrote_in_between(
    etag: str | None, condition: tuple[str, str]
) -> None:
    """A new setting must not be there yet; one that is there must be the one that was read."""
    content = {"value": "x", "tags": {}}
    assert put_request(ORIGIN, WatchKey("k", "prod"), content, etag) == Request(
        "PUT",
        ORIGIN,
        f"/kv/k?{API}&label=prod",
        (("content-type", "application/vnd.microsoft.appconfig.kv+json"), condition),
        json.dumps(content).encode(),
    )


def test_a_deletion_names_key_and_label() -> None:
    """It is sent to the setting alone."""
    assert delete_request(ORIGIN, WatchKey("k")) == Request("DELETE", ORIGIN, f"/kv/k?{API}")
