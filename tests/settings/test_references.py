"""Settings that point elsewhere: what their texts must be, and what is said when they are not."""

from __future__ import annotations

import json

import pytest

from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.settings.references import (
    BrokenReference,
    UnresolvedReference,
    UnusableSnapshot,
    secret_of,
    snapshot_of,
)
from appconfig_provider._azure.vaults import SecretIdentifier
from appconfig_provider.errors import KeyVaultReferenceError, SnapshotNotFoundError

VAULT = "https://v.vault.azure.net"


def setting(content: object) -> Setting:
    """Return a reference of some text."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return Setting("pw", "prod", text, None)


@pytest.mark.parametrize(
    ("uri", "name", "version"),
    [
        (f"{VAULT}/secrets/pw", "pw", None),
        (f"{VAULT}/secrets/pw/", "pw", None),
        (f"{VAULT}/secrets/pw/0a1", "pw", "0a1"),
    ],
)
def test_a_key_vault_reference_names_vault_secret_and_version(
    uri: str, name: str, version: str | None
) -> None:
    """What else its JSON holds does not matter."""
    expected = SecretIdentifier(VAULT, name, version, uri)
    assert secret_of(setting({"uri": uri, "other": 1})) == expected


@pytest.mark.parametrize(
    "content", [None, "", "{", "[" * 100_000], ids=["null", "empty", "cut", "deep"]
)
def test_a_key_vault_reference_that_is_no_json_is_reported(content: str | None) -> None:
    """The error names the setting and not its text."""
    with pytest.raises(UnresolvedReference, match="its value is no JSON") as caught:
        secret_of(setting(content))
    assert caught.value.secret_id is None


@pytest.mark.parametrize(
    "content",
    [[], "[]", '"text"', {}, {"uri": 7}, {"uri": f"{VAULT}/keys/pw"}, {"uri": ""}],
    ids=str,
)
def test_a_key_vault_reference_that_names_no_secret_is_reported(content: object) -> None:
    """A resolver alone may be given any text, but it must be one."""
    with pytest.raises(UnresolvedReference, match="its uri is not https"):
        secret_of(setting(content))


def test_a_resolver_alone_decides_about_any_address() -> None:
    """It is given the text as it stands in the store."""
    for uri in ("vault:pw", "https://host/any?query"):
        assert secret_of(setting({"uri": uri}), lenient=True).written == uri
    refused: list[object] = [{"uri": ""}, {"uri": 7}, []]
    for content in refused:
        with pytest.raises(UnresolvedReference):
            secret_of(setting(content), lenient=True)


def test_a_snapshot_reference_names_a_snapshot() -> None:
    """Blanks around the name are cut."""
    assert snapshot_of(setting({"snapshot_name": " two words "})) == "two words"


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[" * 100_000, "[]", {}, {"snapshot_name": 7}, {"snapshot_name": "  "}],
    ids=["null", "empty", "cut", "deep", "list", "nothing", "number", "blank"],
)
def test_a_snapshot_reference_without_a_name_is_reported(content: object) -> None:
    """The error names the setting, and what it must hold."""
    with pytest.raises(BrokenReference, match="must hold") as caught:
        snapshot_of(setting(content))
    error = caught.value.as_public()
    assert isinstance(error, ValueError)
    assert "'pw' (label 'prod')" in str(error)


@pytest.mark.parametrize("secret_id", [None, f"{VAULT}/secrets/pw"])
def test_a_reference_that_failed_is_reported_with_setting_and_secret(secret_id: str | None) -> None:
    """The public error has key, label and secret as attributes, and why in its text."""
    failure = UnresolvedReference(setting("{}"), "the vault said no", secret_id)
    cause = failure.original = OSError("no")
    error = failure.as_public()
    assert isinstance(error, KeyVaultReferenceError)
    assert (error.key, error.label, error.secret_id) == ("pw", "prod", secret_id)
    where = f" to {secret_id}" if secret_id else ""
    assert str(error) == f"Key Vault reference 'pw' (label 'prod'){where}: the vault said no"
    assert error.__cause__ is cause
    assert not failure.may_heal


@pytest.mark.parametrize(("missing", "kind"), [(True, SnapshotNotFoundError), (False, ValueError)])
def test_a_snapshot_that_cannot_be_used_is_reported_by_name(missing: bool, kind: type) -> None:
    """Only one that is missing is a SnapshotNotFoundError."""
    error = UnusableSnapshot("s", "is failed", missing=missing).as_public()
    assert type(error) is kind
    assert str(error) == "snapshot 's' is failed"
    assert getattr(error, "name", "s") == "s"
