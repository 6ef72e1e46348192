"""Where Key Vault references may be followed to, and with whose credential.

A reference is data from the store, so its address is not trusted: a token goes only to an https
host of Key Vault (in any cloud), or to one that the program itself named.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    Credential: TypeAlias = "TokenCredential | AsyncTokenCredential"

SecretResolver: TypeAlias = Callable[[str], "str | Awaitable[str]"]
ClientConfigs: TypeAlias = Mapping[str, Mapping[str, Any]]

_HOSTS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net")
MAX_ADDRESS = 2048
"""Characters of the address of a secret; names and versions are far shorter."""
_SECRET = re.compile(r"/secrets/([A-Za-z0-9-]{1,127})(?:/([A-Za-z0-9]{1,64}))?/?")


@dataclass(frozen=True, slots=True)
class SecretIdentifier:
    """The address of a secret; equal addresses are one secret."""

    vault: str
    """Scheme, host and port; empty when the address is only a resolver's to understand."""
    name: str
    version: str | None
    written: str = ""
    """As it stands in the store, which is what a resolver is given."""

    @property
    def url(self) -> str:
        """The whole address."""
        if not self.vault:
            return self.written
        return f"{self.vault}/secrets/{self.name}" + (f"/{self.version}" if self.version else "")


def parse_secret_id(text: object, *, lenient: bool = False) -> SecretIdentifier:
    """Read the address of a secret; `lenient` lets a resolver decide about any address.

    Raises:
        ValueError: it is not `https://<vault>/secrets/<name>[/<version>]`.
    """
    mistake = "its uri is not https://<vault>.vault.azure.net/secrets/<name>[/<version>]"
    try:
        parts = urlsplit(str(text) if is_address(text) else "")
        vault = vault_url(parts.geturl())
    except ValueError:
        raise ValueError(mistake) from None
    match = _SECRET.fullmatch(parts.path)
    plain = parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment)
    if not plain or "@" in parts.netloc or match is None:
        if lenient and isinstance(text, str) and text:
            return SecretIdentifier("", "", None, text)
        raise ValueError(mistake)
    return SecretIdentifier(vault, match[1], match[2], str(text))


def is_address(text: object) -> bool:
    """Tell whether a text may be taken apart as an address.

    That normalises other letters of a host, which may take the square of their number.
    """
    return isinstance(text, str) and len(text) <= MAX_ADDRESS and text.isascii()


def vault_url(text: str) -> str:
    """Return scheme, host and port of a vault in the form that is compared."""
    parts = urlsplit(text)
    port = f":{parts.port}" if parts.port not in {None, 443} else ""
    return f"https://{(parts.hostname or '').lower()}{port}"


class AzureAppConfigurationKeyVaultOptions:
    """The Key Vault keywords of `load()` as one object, as the official provider has it."""

    def __init__(
        self,
        *,
        credential: Credential | None = None,
        client_configs: ClientConfigs | None = None,
        secret_resolver: SecretResolver | None = None,
    ) -> None:
        self.credential = credential
        self.client_configs = client_configs or {}
        self.secret_resolver = secret_resolver
        if credential is not None and secret_resolver is not None:
            raise ValueError("credential and secret_resolver can't both be configured.")


@dataclass(frozen=True, slots=True)
class Vaults:
    """How references are resolved; checked, and never the caller's own mapping."""

    credential: Credential | None = field(default=None, repr=False)
    credentials: Mapping[str, Credential | None] = field(default_factory=dict, repr=False)
    """By vault, for those that the program named."""
    resolver: SecretResolver | None = None

    @property
    def configured(self) -> bool:
        """True when any reference can be resolved."""
        return bool(self.credential or self.credentials or self.resolver)

    def credential_for(self, secret: SecretIdentifier) -> Credential | None:
        """Return whose token reads a secret, or None where no token may go."""
        if secret.vault in self.credentials:
            return self.credentials[secret.vault] or self.credential
        return self.credential if self.trusted(secret.vault) else None

    def trusted(self, vault: str) -> bool:
        """Tell whether a token may go to a vault."""
        host = urlsplit(vault).hostname or ""
        return vault in self.credentials or (host.endswith(_HOSTS) and ":" not in vault[8:])


def check_vaults(
    credential: Credential | None,
    client_configs: ClientConfigs | None,
    resolver: SecretResolver | None,
    options: AzureAppConfigurationKeyVaultOptions | None,
) -> Vaults:
    """Put the Key Vault keywords together.

    Raises:
        TypeError: a keyword is of the wrong type, or a client configuration holds another key
            than `credential`.
        ValueError: `key_vault_options` together with the other keywords, or a credential together
            with a resolver.
    """
    if options is not None:
        if not isinstance(options, AzureAppConfigurationKeyVaultOptions):
            raise TypeError("key_vault_options takes an AzureAppConfigurationKeyVaultOptions")
        if credential is not None or client_configs or resolver is not None:
            raise ValueError(
                "give either key_vault_options, or keyvault_credential, keyvault_client_configs "
                "and secret_resolver, not both"
            )
        credential, client_configs = options.credential, options.client_configs
        resolver = options.secret_resolver
    if credential is not None and resolver is not None:
        raise ValueError("give either keyvault_credential or secret_resolver, not both")
    if resolver is not None and not callable(resolver):
        raise TypeError("secret_resolver must be a function that takes a secret's address")
    if credential is not None and not hasattr(credential, "get_token"):
        raise TypeError("keyvault_credential must have get_token(), as those of azure.identity do")
    return Vaults(credential, _credentials(client_configs or {}), resolver)


def _credentials(configs: ClientConfigs) -> dict[str, Credential | None]:
    credentials: dict[str, Credential | None] = {}
    for url, config in configs.items():
        if not str(url).startswith("https://"):
            raise ValueError(f"keyvault_client_configs: {url!r} is not a vault's https address")
        unknown = sorted(set(config) - {"credential"})
        if unknown:
            raise TypeError(
                f"keyvault_client_configs[{url!r}] takes 'credential', not {', '.join(unknown)}"
            )
        credentials[vault_url(url)] = config.get("credential")
    return credentials


def asynchronous(vaults: Vaults) -> object | None:
    """Return what among these only `aio` can await, if anything."""
    credentials = [vaults.credential, *vaults.credentials.values()]
    for credential in credentials:
        if inspect.iscoroutinefunction(getattr(credential, "get_token", None)):
            return credential
    return vaults.resolver if inspect.iscoroutinefunction(vaults.resolver) else None
