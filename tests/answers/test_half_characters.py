"""Half of a character (a lone surrogate) comes in JSON, and cannot go into a request."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from appconfig_provider import SettingSelector, WatchKey
from appconfig_provider.testing import Emulator, Scripted
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE, VAULT_TYPE

HALF = "release-\ud800"
SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


@pytest.mark.parametrize("name", [HALF, "x" * 5000])
def test_a_reference_to_a_snapshot_that_cannot_be_named_names_its_key(
    load: Loader, store: Emulator, name: str
) -> None:
    """The error names the setting, and is reported at the first load."""
    store.set("ref", json.dumps({"snapshot_name": name}), content_type=SNAPSHOT_REFERENCE)
    with (
        pytest.raises(ValueError, match="snapshot reference 'ref'") as caught,
        load(connection_string=store.connection_string),
    ):
        pass
    assert type(caught.value) is ValueError
    assert str(caught.value).isprintable()


def test_the_last_good_generation_stays_beside_such_a_reference(
    load: Loader, store: Emulator
) -> None:
    """On refresh the generation is refused like any other, and healed by the next write."""
    errors: list[Exception] = []
    store.set("k", "1")
    store.set("s", "1")
    with load(
        connection_string=store.connection_string,
        refresh_on=["s"],
        on_refresh_error=errors.append,
    ) as config:
        before = config.snapshot
        store.set("ref", json.dumps({"snapshot_name": HALF}), content_type=SNAPSHOT_REFERENCE)
        store.set("s", "2")
        assert not config.refresh(force=True)
        assert config.snapshot is before
        assert [type(error) for error in errors] == [ValueError]
        assert "'ref'" in str(config.status.last_error)
        store.delete("ref")
        store.set("s", "3")
        assert config.refresh(force=True)
        assert config.snapshot["s"] == "3"


@pytest.mark.parametrize(
    "wrong",
    [
        {"selects": ["snapshot_name"]},
        {"selects": ["key_filter"]},
        {"selects": ["label_filter"]},
        {"selects": ["tag_filters"]},
        {"refresh_on": [WatchKey(HALF)]},
        {"refresh_on": [("s", HALF)]},
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_sent_is_refused(
    load: Loader, store: Emulator, wrong: dict[str, list[object]]
) -> None:
    """A selector or a watched key with half of a character is a ValueError with its name."""
    texts: dict[object, dict[str, object]] = {
        "snapshot_name": {"snapshot_name": HALF},
        "key_filter": {"key_filter": HALF},
        "label_filter": {"key_filter": "*", "label_filter": HALF},
        "tag_filters": {"key_filter": "*", "tag_filters": [f"a={HALF}"]},
    }
    ((keyword, (name,)),) = wrong.items()

    def given() -> Mapping[str, object]:
        if keyword == "refresh_on":
            return wrong
        return {"selects": [SettingSelector(**texts[name])]}  # type: ignore[arg-type]

    with (
        pytest.raises(ValueError, match="half of a character") as caught,
        load(connection_string=store.connection_string, **given()),
    ):
        pass
    assert type(caught.value) is ValueError
    assert store.requests == []


def test_half_a_character_in_a_page_is_a_part_of_the_text(load: Loader, store: Emulator) -> None:
    """Keys, labels, values, tags and flags may hold it; they are read, explained and reported."""
    flag = {"id": HALF, "enabled": True, "conditions": {}, "telemetry": {"enabled": True}}
    setting = {"key": HALF, "label": HALF, "value": HALF, "tags": {HALF: HALF}}
    described = {"key": f".appconfig.featureflag/{HALF}", "value": json.dumps(flag)}
    content_type = FLAG_TYPE
    body = json.dumps({"items": [setting, {**described, "content_type": content_type}]})
    with (
        store.respond(lambda _: Scripted(200, {}, body)),
        load(connection_string=store.connection_string, feature_flag_enabled=True) as config,
    ):
        assert config.snapshot[HALF] == HALF
        assert config.snapshot.explain(HALF).tags == {HALF: HALF}
        assert config.status.last_error is None


def test_a_secret_s_address_with_half_a_character_is_an_error_by_name(
    load: Loader, store: Emulator
) -> None:
    """A Key Vault reference whose address cannot be asked for names its key."""
    uri = f"https://{HALF}.vault.azure.net/secrets/a"
    store.set("secret", json.dumps({"uri": uri}), content_type=VAULT_TYPE)

    class Credential:
        def get_token(self, *_scopes: str, **_named: object) -> None:
            raise AssertionError("no token may be asked for")

    with (
        pytest.raises(ValueError, match="'secret'"),
        load(
            connection_string=store.connection_string,
            keyvault_credential=Credential(),
            startup_timeout=0,
        ),
    ):
        pass
