"""Which hosts a token for Key Vault may go to, and which tokens a vault may ask for."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appconfig_provider._azure.vaults import Vaults, parse_secret_id
from appconfig_provider.errors import KeyVaultReferenceError
from appconfig_provider.testing import Emulator, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader

DOMAINS = ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net")
PLAIN = re.compile(
    r"https://[a-z0-9_-]+(\.[a-z0-9_-]+)*\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)"
)
HOSTILE = [
    "127.0.0.1\0.vault.azure.net",
    "127.0.0.1%00.vault.azure.net",
    "evil.example\t.vault.azure.net",
    "evil.example\n.vault.azure.net",
    "evil.example\r\n.vault.azure.net",
    "evil.example\x7f.vault.azure.net",
    "evil.example .vault.azure.net",
    "evil.example%2f.vault.azure.net",
    "evil.example%23.vault.azure.net",
    "evil.example\\.vault.azure.net",
    "evil.example\\@x.vault.azure.net",
    "user@x.vault.azure.net",
    "user:word@x.vault.azure.net",
    "evil.example#.vault.azure.net",
    "evil.example?.vault.azure.net",
    "evil.example;.vault.azure.net",
    "evil.example,.vault.azure.net",
    "evil.example:443.vault.azure.net",
    "[::1].vault.azure.net",
    "[::1%25.vault.azure.net]",
    "x..vault.azure.net",
    ".vault.azure.net",
    "x.vault.azure.net.",
    "-x.vault.azure.net",
    "x-.vault.azure.net",
    f"{'x' * 64}.vault.azure.net",
    f"{'x.' * 130}vault.azure.net",
    "x\uff0evault.azure.net",
    "x\u3002vault.azure.net",
    "\u2100.vault.azure.net",
    "\u00ad.vault.azure.net",
    "b\u00fccher.vault.azure.net",
    "x.vault.azure.net:0",
    "x.vault.azure.net:99999",
    "x.vault.azure.net:\u0664\u0664\u0663",
    "x.vault.azure.net:443x",
    "x.vault.azure.net:-443",
    "x.vault.azure.net:",
]
"""Hosts that no token may go to, though they end in a domain of Key Vault."""
UNNAMED = [
    "x.vault.azure.net:8443",
    "xvault.azure.net",
    "vault.azure.net",
    "x.vault.azure.net.evil.example",
    "127.0.0.1",
    "2130706433",
    "[::1]",
    "localhost",
]
"""Hosts that only a program that names them may mean."""


def may_have_a_token(text: str) -> bool:
    """Tell whether the credential for all vaults would be used for an address."""
    try:
        secret = parse_secret_id(text)
    except ValueError:
        return False
    return Vaults(credential=StaticCredential()).credential_for(secret) is not None


@pytest.mark.parametrize("host", HOSTILE + UNNAMED)
def test_no_token_goes_to_a_host_that_only_looks_like_a_vault(host: str) -> None:
    """Control characters, escapes, user names, other letters, dots and ports do not pass."""
    assert not may_have_a_token(f"https://{host}/secrets/pw")


@pytest.mark.parametrize("character", ["\0", "%00", "\x7f", "%2f", "\\", ";"])
def test_an_address_with_a_strange_host_is_refused(
    load: Loader, store: Emulator, character: str
) -> None:
    """Such a reference names no secret, and nobody is connected to."""
    store.set_secret("pw", f"https://127.0.0.1{character}.vault.azure.net/secrets/pw")
    credential = StaticCredential()
    with (
        pytest.raises(KeyVaultReferenceError, match="its uri is not https://"),
        load(
            connection_string=store.connection_string,
            keyvault_credential=credential,
            startup_timeout=1,
        ),
    ):
        pass
    assert not credential.scopes


@pytest.mark.parametrize(
    ("written", "vault"),
    [
        ("https://x.vault.azure.net/secrets/pw", "https://x.vault.azure.net"),
        ("HTTPS://X.Vault.Azure.NET/secrets/pw", "https://x.vault.azure.net"),
        ("https://x.vault.azure.cn:443/secrets/pw/", "https://x.vault.azure.cn"),
        (
            "https://x-1.vault.usgovcloudapi.net/secrets/pw/0a",
            "https://x-1.vault.usgovcloudapi.net",
        ),
    ],
)
def test_vaults_of_every_cloud_get_a_token(written: str, vault: str) -> None:
    """Letters of either size and the usual port are the same address."""
    assert may_have_a_token(written)
    assert parse_secret_id(written).vault == vault


ANYTHING = st.text(max_size=40)
NEARLY = st.lists(
    st.sampled_from([*HOSTILE, "x", ".", "-", "@", ":", "/", "\\", "%", "\0", " ", "#", "\u212a"]),
    max_size=5,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(ANYTHING | NEARLY, st.sampled_from(DOMAINS), ANYTHING)
@example("\u212a", "vault.azure.net", "")
def test_whatever_gets_a_token_has_a_plain_host(front: str, domain: str, back: str) -> None:
    """However an address is made, a token goes only to plain names inside Key Vault's domains."""
    for text in (
        f"https://{front}.{domain}/secrets/pw{back}",
        f"https://{front}.{domain}{back}/secrets/pw",
        f"https://{front}{domain}/secrets/pw",
        front + back,
    ):
        if may_have_a_token(text):
            secret = parse_secret_id(text)
            assert PLAIN.fullmatch(secret.vault)
            assert text.lower().startswith(secret.vault)
            assert re.fullmatch(r"[A-Za-z0-9/-]*", secret.url.removeprefix(secret.vault))


def ask_with(challenge: str, load: Loader, store: Emulator, vault: Vault) -> list[str]:
    """Load a secret of a vault that asks like this; return the scopes that were asked for."""
    credential = StaticCredential()
    asking = Scripted(401, headers={"WWW-Authenticate": challenge})
    with (
        vault.respond(lambda record: None if "authorization" in record.headers else asking),
        pytest.raises(KeyVaultReferenceError),
        load(
            connection_string=store.connection_string,
            keyvault_client_configs={vault.url: {"credential": credential}},
            verify=vault.ca_file,
            startup_timeout=1,
        ),
    ):
        pass
    return list(credential.scopes)


FOREIGN = [
    "https://management.azure.com",
    "https://management.azure.com/.default",
    "https://management.azure.com@vault.azure.net",
    "https://vault.azure.net@management.azure.com",
    "https://vault.azure.net.evil.example",
    "https://vault.azure.net:8443",
    "https://vault.azure.net/other",
    "https://vault.azure.net%00",
    "http://vault.azure.net",
    "https://graph.microsoft.com",
    "https://storage.azure.com",
    "https://net",
    "api://0000",
]


@pytest.mark.parametrize("scope", FOREIGN)
@pytest.mark.parametrize("word", ["resource", "scope"])
def test_a_named_vault_gets_no_token_of_another_service(
    load: Loader, store: Emulator, vault: Vault, scope: str, word: str
) -> None:
    """A vault that the program named may ask for tokens of Key Vault or of its own domain only."""
    store.set_secret("pw", vault.id("pw"))
    assert ask_with(f'Bearer authorization="https://l", {word}="{scope}"', load, store, vault) == []


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("https://user:planted@h.example/secrets/x", "planted"),
        ("https://h.example/secrets/x?sig=planted", "planted"),
        ("user:planted@h.example", "planted"),
    ],
)
def test_an_error_shows_no_password_of_an_address(
    load: Loader, store: Emulator, address: str, hidden: str
) -> None:
    """What only a resolver can read may hold a password or a key, which no error repeats."""

    def resolver(_address: str) -> str:
        raise LookupError

    store.set_secret("pw", address)
    with (
        pytest.raises(KeyVaultReferenceError) as caught,
        load(connection_string=store.connection_string, secret_resolver=resolver),
    ):
        pass
    assert hidden not in str(caught.value)
    assert hidden not in str(caught.value.secret_id)
