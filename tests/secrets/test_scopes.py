"""The scope of the token that a vault asks for in its challenge."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider._azure.vaults import scope_of
from tests.secrets.test_trust import DOMAINS, FOREIGN


@pytest.mark.parametrize(
    ("vault", "resource", "scope"),
    [
        (
            "https://x.vault.azure.net",
            "https://vault.azure.net",
            "https://vault.azure.net/.default",
        ),
        (
            "https://x.vault.azure.net",
            "https://Vault.azure.net/",
            "https://vault.azure.net/.default",
        ),
        (
            "https://x.vault.azure.cn",
            "https://vault.azure.cn/.default",
            "https://vault.azure.cn/.default",
        ),
        ("https://127.0.0.1:8443", "https://vault.azure.net", "https://vault.azure.net/.default"),
        ("https://kv.contoso.com", "https://contoso.com", "https://contoso.com/.default"),
        ("https://kv.contoso.com", "https://kv.contoso.com", "https://kv.contoso.com/.default"),
        (
            "https://h.managedhsm.azure.net",
            "https://managedhsm.azure.net",
            "https://managedhsm.azure.net/.default",
        ),
        ("https://x.vault.azure.net", "https://azure.net", None),
        ("https://x.vault.azure.net", "https://vault.azure.cn", None),
        ("https://x.vault.azure.net", "vault.azure.net", None),
        ("https://kv.contoso.com", "https://com", None),
        ("https://localhost:8443", "https://localhost", None),
        ("https://kv.contoso.com", "https://v.contoso.com", None),
    ],
)
def test_a_vault_asks_for_its_own_service(vault: str, resource: str, scope: str | None) -> None:
    """Key Vault's own scopes, and those of the domain that a vault is in, are given; no others."""
    assert scope_of(f'Bearer authorization="https://l", resource="{resource}"', vault) == scope


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80) | st.sampled_from(FOREIGN), st.text(max_size=20), st.sampled_from(DOMAINS)
)
def test_no_challenge_gets_a_foreign_scope(asked: str, more: str, domain: str) -> None:
    """Whatever a vault of Key Vault answers, the token is one for Key Vault of its cloud."""
    for challenge in (asked, f'Bearer resource="{asked}"{more}', f"Bearer scope={asked}{domain}"):
        assert scope_of(challenge, f"https://x.{domain}") in {None, f"https://{domain}/.default"}
