"""The official JavaScript client of Key Vault against the vault."""

from __future__ import annotations

import pytest

from appconfig_provider.testing import Vault
from tests.contract.node.process import Named, Node, Refused

pytest_plugins = ["tests.contract.node.fixtures"]
pytestmark = pytest.mark.heavy


def client_of(node: Node, vault: Vault, *, verify: bool = True) -> Named:
    """A client of a vault, which compares its host with its challenge unless told not to."""
    options = {} if verify else {"disableChallengeResourceVerification": True}
    node.do("vault", "vault", vault.url, vault.ca_file, options)
    return Named(node, "vault")


@pytest.mark.parametrize("name", ["my-vault", "V42"])
def test_a_vault_with_a_name(node: Node, name: str) -> None:
    """A vault that has a name is in the domain of its challenge, and its secrets are read."""
    with Vault(name) as vault:
        vault.set("s", "old")
        version = vault.set("s", "v")
        secret = client_of(node, vault).call("getSecret", "s")
        assert (secret["value"], secret["properties"]["version"]) == ("v", version)
        assert secret["properties"]["vaultUrl"] == vault.url
        assert [record.status for record in vault.requests] == [401, 200]


def test_a_vault_without_a_name(node: Node) -> None:
    """One without a name is refused by a client that compares, and read by one that does not."""
    with Vault() as vault:
        vault.set("s", "v")
        with pytest.raises(Refused, match="does not match the requested domain"):
            client_of(node, vault).call("getSecret", "s")
        assert client_of(node, vault, verify=False).call("getSecret", "s")["value"] == "v"
