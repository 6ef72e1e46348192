"""The emulated vault, for the length of a ``with`` block."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from appconfig_provider.emulator import Access
from appconfig_provider.emulator.scripting import Script
from appconfig_provider.emulator.tls import VAULT_DOMAIN
from appconfig_provider.emulator.tokens import VAULT_AUDIENCES, Tokens
from appconfig_provider.emulator.vault import Secrets, create_vault
from appconfig_provider.testing.clock import Clock
from appconfig_provider.testing.credentials import StaticCredential
from appconfig_provider.testing.scripted import ScriptedServer

_NAME: Final = re.compile("[0-9A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]")


class VaultOptions(TypedDict):
    """Keywords of ``load()``."""

    keyvault_client_configs: Mapping[str, Mapping[str, Any]]


class Vault(ScriptedServer):
    """A Key Vault in memory on a free port of this machine, for the length of a ``with`` block.

    It speaks TLS only; ``ca_file`` is what a client has to trust, and ``url`` what it calls the
    vault. Accepted are JWTs for the vault's audience or its own address, signed or not, and every
    text in ``tokens``. ``hosts`` are names that clients may use for it, as for :class:`Emulator`.

    Microsoft's clients refuse a vault whose host is not in the domain that its challenge names,
    unless they are told not to compare them. ``localhost`` is in none, so its challenge names
    ``vault.azure.net``. With a ``name`` such as ``"my-vault"`` the host is
    ``my-vault.vault.localhost``, and the challenge names ``vault.localhost``. Some systems resolve
    every name that ends in ``.localhost``; others need a line in their hosts file.

    Raises:
        ValueError: a name is not 3 to 24 letters, digits and hyphens.
        OSError: the port cannot be had.
    """

    ca_file: str

    def __init__(
        self,
        name: str | None = None,
        *,
        port: int = 0,
        clock: Clock | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        if name is not None and not _NAME.fullmatch(name):
            message = "has 3 to 24 letters, digits and hyphens, none of these at its ends"
            raise ValueError(f"the name of a vault {message}, not {name!r}")
        now = time.time if clock is None else clock.time
        self.tokens: set[str] = set()
        self._secrets = Secrets(now)
        accepted = Tokens(VAULT_AUDIENCES, self.tokens, now)
        app = create_vault(self._secrets, accepted, lambda: self.url)
        super().__init__(app, Script(), port, tls=True, access=Access(hosts=tuple(hosts)))
        host = "localhost" if name is None else f"{name.lower()}.{VAULT_DOMAIN}"
        self.url = f"https://{host}:{self._server.port}"

    @property
    def load_options(self) -> VaultOptions:
        """The keywords by which ``load()`` reads secrets of this vault, beside those of the store.

        They are for ``load(**store.load_options, **vault.load_options)``. With a store that is not
        of this process, give ``verify=vault.ca_file``, too.
        """
        return {"keyvault_client_configs": {self.url: {"credential": StaticCredential()}}}

    def set(self, name: str, value: str, *, enabled: bool = True) -> str:
        """Add a version of a secret, the current one from now on, and return the version.

        Raises:
            ValueError: the service would refuse the name or the value.
        """
        return self._secrets.set(name, value, enabled=enabled).version

    def delete(self, name: str) -> bool:
        """Remove a secret with all its versions and tell whether there was one."""
        return self._secrets.delete(name)

    def enable(self, name: str, *, enabled: bool) -> None:
        """Enable or disable the current version of a secret.

        Raises:
            KeyError: there is no such secret.
        """
        self._secrets.enable(name, enabled=enabled)

    def id(self, name: str, version: str = "") -> str:
        """The id of a secret, as a Key Vault reference names it."""
        return f"{self.url}/secrets/{name}" + (f"/{version}" if version else "")
