"""The certificate that a server shows, and what a client has to trust for it.

One is made for the names of this machine at its first use and thrown away when the process ends;
then the private key of its authority is never written down. The authority can be kept in a file
instead, for clients that trust it once. Or the certificate is the user's own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from appconfig_provider.emulator.authority import Authority, make_authority, read_authority

VAULT_DOMAIN = "vault.localhost"
"""Where vaults with a name are; the certificate of this machine is theirs, too."""
_HERE = ("localhost", "127.0.0.1", "::1", f"*.{VAULT_DOMAIN}")
_MAX_PEM = 1_000_000
_MAKING_SECONDS = 1.0
_lock = threading.Lock()
_made: dict[tuple[str, ...], LocalCertificate] = {}
_authorities: list[tuple[Authority, str]] = []
"""What signs the certificates of this process, once one was needed, and its file."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: what a server shows, and its private key."""

    chain_file: str
    key_file: str


@dataclass(frozen=True, slots=True)
class LocalCertificate(Certificate):
    """A certificate signed by an authority of the emulator; clients trust ``ca_file``.

    ``ca_key_file`` has the private key of the authority, when it is kept.
    """

    ca_file: str
    ca_key_file: str | None = None


def local_certificate(*hosts: str) -> LocalCertificate:
    """A certificate of this process for some hosts, and always for this machine's own names.

    All of them have one ``ca_file``.
    """
    names = _names(hosts)
    with _lock:
        if not _authorities:
            authority, place = make_authority(), _temporary_folder() / "ca.pem"
            place.write_bytes(authority.pem)
            _authorities.append((authority, str(place)))
        if names not in _made:
            authority, ca_file = _authorities[0]
            shown = _issue(authority, names, _temporary_folder())
            _made[names] = LocalCertificate(shown.chain_file, shown.key_file, ca_file)
        return _made[names]


def kept_certificate(ca_file: str | os.PathLike[str], *hosts: str) -> LocalCertificate:
    """A certificate for some hosts, signed by an authority that is kept in a file.

    When there is no such file the authority is made. Its private key lies beside it, in a file of
    the same name with ``.key`` at the end that only its owner can read.

    Raises:
        ValueError: one of both files is not there or is none that was made here.
        OSError: a file cannot be read or written.
    """
    place = Path(ca_file)
    if not place.parent.is_dir():
        raise ValueError(f"{place}: there is no folder {place.parent}")
    key_place = place.with_name(f"{place.name}.key")
    if not place.exists() and not key_place.exists():
        with contextlib.suppress(FileExistsError):  # another emulator started at the same time
            _keep(make_authority(), place, key_place)
    _await_the_maker(place, key_place)
    authority = _kept(place, key_place)
    shown = _issue(authority, _names(hosts), _temporary_folder())
    return LocalCertificate(shown.chain_file, shown.key_file, str(place), str(key_place))


def own_certificate(
    chain_file: str | os.PathLike[str], key_file: str | os.PathLike[str]
) -> Certificate:
    """A certificate of the user's own: with its chain, and the private key without a password.

    Raises:
        ValueError: no server can show them.
    """
    files = os.fspath(chain_file), os.fspath(key_file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password=lambda: b"")
    except ssl.SSLError as error:
        reason = (error.reason or "they are not PEM, or the key has a password").lower()
        reason = reason.replace("_", " ")
    except OSError as error:
        reason = error.strerror or "they cannot be read"
    else:
        return Certificate(*files)
    raise ValueError(f"no certificate and private key: {files[0]} and {files[1]}: {reason}")


def _names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    return (*_HERE, *dict.fromkeys(host for host in hosts if host and host not in _HERE))


def _keep(authority: Authority, place: Path, key_place: Path) -> None:
    _write_private(key_place, authority.key_pem)
    written = place.with_name(f"{place.name}.new")
    try:
        written.write_bytes(authority.pem)
        written.replace(place)
    except BaseException:
        written.unlink(missing_ok=True)
        key_place.unlink()
        raise


def _await_the_maker(place: Path, key_place: Path) -> None:
    """Wait for a certificate whose key is there: another process may be about to write it."""
    end = time.monotonic() + _MAKING_SECONDS
    while key_place.exists() and not place.exists() and time.monotonic() < end:
        time.sleep(0.01)


def _kept(place: Path, key_place: Path) -> Authority:
    for present, absent in ((place, key_place), (key_place, place)):
        if not absent.exists():
            raise ValueError(
                f"{present} is there without {absent}, and both make a CA of the emulator: name"
                " another file, or remove it to have a new CA made"
            )
    try:
        return read_authority(_read(place), _read(key_place))
    except ValueError as error:
        raise ValueError(
            f"{place} and {key_place}: {error}; name another file, or remove both to have a new CA"
            " made"
        ) from error


def _read(place: Path) -> bytes:
    if not place.is_file():  # to open a named pipe would wait for a writer
        raise ValueError("one of them is no regular file")
    with place.open("rb") as file:
        content = file.read(_MAX_PEM + 1)
    if len(content) > _MAX_PEM:
        raise ValueError("they are too large")
    return content


def _issue(authority: Authority, names: tuple[str, ...], folder: Path) -> Certificate:
    chain, key = authority.issue(names)
    chain_file, key_file = folder / "chain.pem", folder / "key.pem"
    chain_file.write_bytes(chain)
    _write_private(key_file, key)
    return Certificate(str(chain_file), str(key_file))


def _write_private(place: Path, content: bytes) -> None:
    """Make a file that only its owner can read."""
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="appconfig-emulator-"))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child leaves its parent's files alone
        shutil.rmtree(folder, ignore_errors=True)
