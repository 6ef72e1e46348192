"""Settings that point elsewhere: to a secret in a vault, to a snapshot of the store."""

from __future__ import annotations

from collections.abc import Mapping

from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.vaults import SecretIdentifier, parse_secret_id
from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.texts import printable, quoted, sendable
from appconfig_provider.trouble import EngineError

MAX_NAME = 1024
"""Characters of a snapshot's name; the service allows a quarter of it."""


class UnresolvedReference(EngineError):
    """A Key Vault reference that could not be resolved; shows the key, never the value."""

    def __init__(self, setting: Setting, why: str, secret_id: str | None = None) -> None:
        super().__init__(
            f"Key Vault reference {quoted(setting.key)} (label {quoted(setting.label)})"
            + (f" to {printable(secret_id)}" if secret_id else "")
            + f": {why}"
        )
        self.setting = setting
        self.why = why
        self.secret_id = secret_id
        self.retry_after: float | None = None
        """Seconds that the vault asked us to wait."""
        self.original: BaseException | None = None
        self.may_heal = False
        """True when another attempt may succeed."""
        self.out_of_time = False
        """True when no request was sent, because the time of the load was used up."""

    def as_public(self) -> Exception:
        from appconfig_provider.errors import KeyVaultReferenceError

        error = KeyVaultReferenceError(
            str(self), key=self.setting.key, label=self.setting.label, secret_id=self.secret_id
        )
        error.__cause__ = self.original
        return error


class UnusableSnapshot(EngineError):
    """A snapshot that a selector or a reference names, and that cannot be used."""

    def __init__(self, name: str, why: str, *, missing: bool) -> None:
        super().__init__(f"snapshot {quoted(name)} {printable(why)}")
        self.name = name
        self.missing = missing

    def as_public(self) -> Exception:
        from appconfig_provider.errors import SnapshotNotFoundError

        error = SnapshotNotFoundError(str(self), name=self.name) if self.missing else None
        return error or ValueError(str(self))


class BrokenReference(EngineError):
    """A snapshot reference whose text names no snapshot."""

    def __init__(self, setting: Setting, why: str = 'must hold {"snapshot_name": "..."}') -> None:
        named = f"{quoted(setting.key)} (label {quoted(setting.label)})"
        super().__init__(f"snapshot reference {named} {why}")

    def as_public(self) -> Exception:
        return ValueError(str(self))


def secret_of(setting: Setting, *, lenient: bool = False) -> SecretIdentifier:
    """Return the secret that a Key Vault reference points to.

    `lenient` accepts any text as an address; it is for programs with only a resolver.

    Raises:
        UnresolvedReference: its text is not `{"uri": "https://..."}`.
    """
    try:
        content = decode(setting.value or "")
        uri = content.get("uri") if isinstance(content, Mapping) else None
        return parse_secret_id(uri, lenient=lenient)
    except ValueError as error:
        why = "its value is no JSON" if isinstance(error, Undecodable) else str(error)
        raise UnresolvedReference(setting, why) from None


def snapshot_of(setting: Setting) -> str:
    """Return the name of the snapshot a reference points to.

    Raises:
        BrokenReference: its text names none.
    """
    try:
        content = decode(setting.value or "")
    except Undecodable:
        raise BrokenReference(setting) from None
    name = content.get("snapshot_name") if isinstance(content, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise BrokenReference(setting)
    if not sendable(name):
        raise BrokenReference(setting, "names a snapshot with half of a character in its name")
    if len(name) > MAX_NAME:
        raise BrokenReference(setting, f"names a snapshot by more than {MAX_NAME} characters")
    return name.strip()
