"""Certificates over restarts, for more names, and of the user's own."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest

from appconfig_provider.emulator import authority
from appconfig_provider.emulator.authority import make_authority
from appconfig_provider.emulator.tls import kept_certificate, local_certificate, own_certificate

from .test_process import run, running


def trusted(parts: Mapping[str, str], ca_file: str | os.PathLike[str], name: str) -> bool:
    """Whether a client that trusts a CA file believes that a server has a name."""
    context = ssl.create_default_context(cafile=os.fspath(ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(parts["Endpoint"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return True
        except ssl.SSLCertVerificationError:
            return False


def test_a_kept_authority(tmp_path: Path) -> None:
    """The CA file is made at the first start; who trusts it trusts the next ones, and new names."""
    ca_file, key_file = tmp_path / "ca.pem", tmp_path / "ca.pem.key"
    with running("--ca-file", str(ca_file)) as (process, parts):
        assert parts["Endpoint"].startswith("https://")
        assert process.stdout is not None
        assert process.stdout.readline() == f"Trust the CA certificate {ca_file}\n"
        assert process.stdout.readline() == f"Keep its private key secret: {key_file}\n"
        assert trusted(parts, ca_file, "localhost")
        assert not trusted(parts, ca_file, "appconfig")
    kept = ca_file.read_bytes(), key_file.read_bytes()
    assert os.name == "nt" or stat.S_IMODE(key_file.stat().st_mode) == 0o600
    names = ("--allow-host", "appconfig", "--allow-host", "192.168.7.7")
    with running("--ca-file", str(ca_file), *names) as (_, parts):
        for name in ("localhost", "127.0.0.1", "appconfig", "192.168.7.7"):
            assert trusted(parts, ca_file, name)
    assert (ca_file.read_bytes(), key_file.read_bytes()) == kept


def test_starts_at_once_share_an_authority(tmp_path: Path) -> None:
    """Of several emulators that start at once with no CA file yet, one makes the CA for all."""
    starts = 8
    for number in range(5):
        ca_file, together = tmp_path / f"{number}.pem", Barrier(starts)

        def start(ca_file: Path = ca_file, together: Barrier = together) -> bytes:
            together.wait()
            return Path(kept_certificate(ca_file).ca_file).read_bytes()

        with ThreadPoolExecutor(starts) as threads:
            made = [each.result() for each in [threads.submit(start) for _ in range(starts)]]
        assert set(made) == {ca_file.read_bytes()}
        assert sorted(tmp_path.glob(f"{number}.*")) == [ca_file, tmp_path / f"{number}.pem.key"]


def test_names_on_every_address() -> None:
    """On every address the certificate holds for this machine's names and for those allowed."""
    options = ("--host", "0.0.0.0", "--tls", "--allow-host", "Store.Test.")
    with running(*options) as (process, parts):
        assert process.stdout is not None
        ca_file = process.stdout.readline().removeprefix("Trust the CA certificate ").strip()
        for name in ("localhost", "127.0.0.1", "::1", "store.test", "0.0.0.0"):
            assert trusted(parts, ca_file, name)
        assert not trusted(parts, ca_file, "other.test")


def test_an_own_certificate(tmp_path: Path) -> None:
    """A certificate of the user's own is shown as it is, with its chain."""
    made = make_authority()
    (tmp_path / "ca.pem").write_bytes(made.pem)
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for place, content in zip((chain, key), made.issue(["mine.test"]), strict=True):
        place.write_bytes(content)
    options = ("--certificate", str(chain), "--private-key", str(key))
    with running(*options) as (_, parts):
        assert parts["Endpoint"].startswith("https://")
        assert trusted(parts, tmp_path / "ca.pem", "mine.test")
        assert not trusted(parts, tmp_path / "ca.pem", "localhost")


def pair(tmp_path: Path, ca: bytes | None, key: bytes | None) -> Path:
    """A CA file with these contents, and its key file."""
    for name, content in (("ca.pem", ca), ("ca.pem.key", key)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
    return tmp_path / "ca.pem"


def encrypted(key_pem: bytes) -> bytes:
    """The same key with a password."""
    from cryptography.hazmat.primitives import serialization as pems

    key = pems.load_pem_private_key(key_pem, None)
    hidden = pems.BestAvailableEncryption(b"x")
    return key.private_bytes(pems.Encoding.PEM, pems.PrivateFormat.PKCS8, hidden)


def test_a_foreign_or_broken_authority(tmp_path: Path) -> None:
    """What is no CA of the emulator is an error that names the files, and stays as it was."""
    made, other = make_authority(), make_authority()
    leaf, leaf_key = made.issue(["localhost"])
    bad = [
        (made.pem, None, "is there without"),
        (None, made.key_pem, "is there without"),
        (b"", b"", "cannot be read"),
        (b"nonsense", made.key_pem, "cannot be read"),
        (made.pem, b"nonsense", "cannot be read"),
        (made.pem, encrypted(made.key_pem), "cannot be read"),
        (made.key_pem, made.pem, "cannot be read"),
        (made.pem, other.key_pem, "of another certificate"),
        (leaf, leaf_key, "no CA that the emulator has made"),
        (made.pem + b"x" * 1_000_001, made.key_pem, "too large"),
    ]
    for number, (ca, key, text) in enumerate(bad):
        folder = tmp_path / str(number)
        folder.mkdir()
        ca_file = pair(folder, ca, key)
        with pytest.raises(ValueError, match=text) as caught:
            kept_certificate(ca_file)
        assert str(ca_file) in str(caught.value)
        assert "name another file" in str(caught.value)
        assert "\n" not in str(caught.value)
        found = {place.name: place.read_bytes() for place in folder.iterdir()}
        expected = {"ca.pem": ca, "ca.pem.key": key}
        assert found == {name: content for name, content in expected.items() if content is not None}


def test_a_pipe_is_no_authority(tmp_path: Path) -> None:
    """A named pipe is refused at once: to open it would wait for a writer."""
    ca_file = pair(tmp_path, None, make_authority().key_pem)
    os.mkfifo(ca_file)
    with pytest.raises(ValueError, match="no regular file"):
        kept_certificate(ca_file)


def test_an_expired_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA that is out of date is an error that says what to do."""
    monkeypatch.setattr(authority, "_AUTHORITY_VALID", timedelta(seconds=-1))
    made = make_authority()
    assert authority.valid_until(made.certificate) <= datetime.now(timezone.utc)
    with pytest.raises(ValueError, match="has expired; name another file, or remove both"):
        kept_certificate(pair(tmp_path, made.pem, made.key_pem))


def test_an_own_certificate_that_cannot_be_shown(tmp_path: Path) -> None:
    """Files that no server can show are an error that names them, without asking for a password."""
    made = make_authority()
    chain, key = made.issue(["localhost"])
    other = make_authority().issue(["localhost"])[1]
    bad: list[tuple[bytes | None, bytes | None]] = [
        (None, key),
        (chain, None),
        (b"", b""),
        (b"nonsense", key),
        (chain, b"nonsense"),
        (chain, other),
        (chain, encrypted(key)),
    ]
    for number, contents in enumerate(bad):
        places = tmp_path / f"{number}.pem", tmp_path / f"{number}.key"
        for place, content in zip(places, contents, strict=True):
            if content is not None:
                place.write_bytes(content)
        with pytest.raises(ValueError, match="no certificate and private key") as caught:
            own_certificate(*places)
        assert str(places[0]) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--certificate", "a.pem"), 2, "go together"),
        (("--private-key", "a.key"), 2, "go together"),
        (("--certificate", "a", "--private-key", "b", "--ca-file", "c"), 2, "without --ca-file"),
        (("--certificate", "a", "--private-key", "b"), 2, "no such file"),
        (("--ca-file", "missing/ca.pem"), 2, "there is no folder missing"),
    ],
)
def test_bad_options(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    """What makes no certificate ends the command with one line that says why."""
    monkeypatch.chdir(tmp_path)
    found, line = run(capsys, "--port", "0", *options)
    assert found == code
    assert text.lower() in line.lower()
    assert list(tmp_path.iterdir()) == []


def test_no_file_shows_a_key() -> None:
    """The repr of an authority shows nothing, and the files of a process are private."""
    assert repr(make_authority()) == "Authority()"
    key_file = Path(local_certificate().key_file)
    assert os.name == "nt" or stat.S_IMODE(key_file.stat().st_mode) == 0o600
