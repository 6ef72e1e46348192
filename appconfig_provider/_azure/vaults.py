"""Which addresses of Key Vault references are trusted, and which credential reads them.

A reference is data from the store, so its address is not trusted. A token is sent only to an https
host of Key Vault (in any cloud), or to one that the program itself has named.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from appconfig_provider.texts import argument

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    Credential: TypeAlias = "TokenCredential | AsyncTokenCredential"

SecretResolver: TypeAlias = Callable[[str], "str | Awaitable[str]"]
ClientConfigs: TypeAlias = Mapping[str, Mapping[str, Any]]

_DOMAINS = ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net")
"""The domain of Key Vault in each cloud. It is also the audience of tokens for it."""
_SUFFIXES = tuple(["." + domain for domain in _DOMAINS])

HTTPS_PORT = 443
MAX_HOST = 253
MAX_ADDRESS = 2048
"""Characters of the address of a secret; names and versions are far shorter."""

# An address is data from the store. It is parsed only by this grammar: a parser of URLs accepts
# control characters, escapes, user names and non-ASCII letters, and may see another host in them
# than the one that the request is sent to.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_HOST = rf"{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\]"
_VAULT = re.compile(rf"(?i:https)://({_HOST})(?::([0-9]{{1,5}}))?")
_SECRET = re.compile(r"/secrets/([A-Za-z0-9-]{1,127})(?:/([A-Za-z0-9]{1,64}))?/?")
_HARMLESS = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]{{0,20}}://(?:{_HOST})(?::[0-9]{{1,5}})?(?:/[^?#]*)?(?=[?#]|\Z)"
    r"|[A-Za-z0-9._/-]{1,300}\Z"
)
_RESOURCE = re.compile(r'(?:^|[\s,])(?:resource|scope)="?([^",\s]{1,300})')
_SCOPE = re.compile(rf"https://({_NAME})/?(?:\.default)?")


@dataclass(frozen=True, slots=True)
class SecretIdentifier:
    """The address of a secret; equal addresses are one secret."""

    vault: str
    """Scheme, host and port; empty when only the user's resolver understands the address."""
    name: str
    version: str | None
    written: str = field(default="", repr=False)
    """The address as it is in the store; a resolver gets this."""

    @property
    def url(self) -> str:
        """The whole address."""
        if not self.vault:
            return self.written
        return f"{self.vault}/secrets/{self.name}" + (f"/{self.version}" if self.version else "")

    @property
    def shown(self) -> str:
        """The address for an error; empty if it may hold a password or a key."""
        if self.vault:
            return self.url
        match = _HARMLESS.match(self.written)
        return match[0] if match is not None else ""


def parse_secret_id(text: object, *, lenient: bool = False) -> SecretIdentifier:
    """Parse the address of a secret; `lenient` accepts any text, for the user's resolver.

    Raises:
        ValueError: it is not `https://<vault>/secrets/<name>[/<version>]`.
    """
    if isinstance(text, str) and text:
        origin, separator, path = text[:MAX_ADDRESS].partition("/secrets/")
        vault, match = vault_url(origin), _SECRET.fullmatch(separator + path)
        if vault is not None and match is not None and len(text) <= MAX_ADDRESS:
            return SecretIdentifier(vault, match[1], match[2], text)
        if lenient:
            return SecretIdentifier("", "", None, text)
    raise ValueError("its uri is not https://<vault>.vault.azure.net/secrets/<name>[/<version>]")


def is_address(text: object) -> bool:
    """Tell whether a text is safe to be parsed by `urlsplit`.

    That normalises non-ASCII letters, in a time that grows with the square of their number.
    """
    return isinstance(text, str) and len(text) <= MAX_ADDRESS and text.isascii()


def vault_url(text: str) -> str | None:
    """Return scheme, host and port of a vault, normalised; None if it is not a vault's address.

    A host is a name of ASCII letters, digits, `-` and `_`, or an IP address; it has no dot at its
    end.
    """
    match = _VAULT.fullmatch(text)
    if match is None or len(match[1]) > MAX_HOST:
        return None
    port = int(match[2] or HTTPS_PORT)
    if not 0 < port < 2**16:
        return None
    return f"https://{match[1].lower()}" + ("" if port == HTTPS_PORT else f":{port}")


def scope_of(challenge: str, vault: str) -> str | None:
    """Return the scope that a vault's challenge asks for, or None when it is not allowed.

    A vault gets tokens only for Key Vault, or for its own domain. With a token for another service
    it could act as the program there; so this is checked even for vaults that the program named.
    """
    resource = _RESOURCE.search(challenge)
    match = _SCOPE.fullmatch(resource[1]) if resource is not None else None
    if match is None:
        return None
    domain, host = match[1].lower(), vault.removeprefix("https://").partition(":")[0]
    own = next((one for one in _DOMAINS if host.endswith("." + one)), None)
    if own is not None:
        allowed = domain == own
    else:
        within = host == domain or host.endswith("." + domain)
        allowed = domain in _DOMAINS or (within and "." in domain)
    return f"https://{domain}/.default" if allowed else None


class AzureAppConfigurationKeyVaultOptions:
    """The Key Vault keywords of `load()` as one object, as in the official provider."""

    __module__ = "appconfig_provider"

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
    """The checked Key Vault keywords; a copy, so later changes by the caller have no effect."""

    credential: Credential | None = field(default=None, repr=False)
    credentials: Mapping[str, Credential | None] = field(default_factory=dict, repr=False)
    """By vault, for vaults that the program named; None means the common credential."""
    resolver: SecretResolver | None = None

    @property
    def configured(self) -> bool:
        """True when any reference can be resolved."""
        return bool(self.credential or self.credentials or self.resolver)

    def credential_for(self, secret: SecretIdentifier) -> Credential | None:
        """Return the credential for a secret, or None where no token may be sent."""
        if secret.vault in self.credentials:
            return self.credentials[secret.vault] or self.credential
        return self.credential if self.trusted(secret.vault) else None

    def trusted(self, vault: str) -> bool:
        """Tell whether a token may go to a vault."""
        return vault in self.credentials or vault.endswith(_SUFFIXES)


def check_vaults(
    credential: Credential | None,
    client_configs: ClientConfigs | None,
    resolver: SecretResolver | None,
    options: AzureAppConfigurationKeyVaultOptions | None,
) -> Vaults:
    """Check the Key Vault keywords.

    Raises:
        TypeError: a keyword is of the wrong type, or a client configuration holds another key
            than `credential`.
        ValueError: both `key_vault_options` and other keywords were given, or both a credential
            and a resolver.
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
    return Vaults(
        credential, _credentials({} if client_configs is None else client_configs), resolver
    )


_CONFIGS = 'keyvault_client_configs takes {vault_url: {"credential": ...}}'


def _credentials(configs: object) -> dict[str, Credential | None]:
    """Return the credential of each vault; errors name types and quote no values."""
    if not isinstance(configs, Mapping):
        raise TypeError(f"{_CONFIGS}, not {type(configs).__name__}")
    credentials: dict[str, Credential | None] = {}
    for url, config in configs.items():
        if not isinstance(url, str):
            raise TypeError(f"{_CONFIGS}; a vault_url is a str, not {type(url).__name__}")
        vault = vault_url(url.removesuffix("/"))
        if vault is None:
            raise ValueError(
                f"keyvault_client_configs: {argument(url)} is not a vault's address; it is "
                "https://<host> or https://<host>:<port>"
            )
        credentials[vault] = _credential(f"keyvault_client_configs['{vault}']", config)
    return credentials


def _credential(name: str, config: object) -> Credential | None:
    if not isinstance(config, Mapping):
        raise TypeError(f'{name} takes {{"credential": ...}}, not {type(config).__name__}')
    unknown = [argument(key) for key in config if key != "credential"]
    if unknown:
        raise TypeError(f"{name} takes 'credential', not {', '.join(unknown)}")
    credential: Credential | None = config.get("credential")
    if credential is not None and not hasattr(credential, "get_token"):
        raise TypeError(
            f"{name}: the credential must have get_token(), as those of azure.identity do; "
            f"{type(credential).__name__} has not"
        )
    return credential


def asynchronous(vaults: Vaults) -> object | None:
    """Return a credential or resolver that only `aio` can await; None if there is none."""
    credentials = [vaults.credential, *vaults.credentials.values()]
    for credential in credentials:
        if inspect.iscoroutinefunction(getattr(credential, "get_token", None)):
            return credential
    return vaults.resolver if inspect.iscoroutinefunction(vaults.resolver) else None
