"""`appconfig cache`: what is shown of a cache file, and when it is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from appconfig_provider import FileCache, load
from appconfig_provider.caches.envelope import sealed
from appconfig_provider.testing import Emulator
from tests.support.content import VAULT_TYPE, Resolver, secret_id, set_flag

from .conftest import Run


@pytest.fixture
def path(tmp_path: Path, store: Emulator) -> Path:
    """Give the file of a program that has run, with a secret and a flag."""
    store.set("message", "planted-value", label="prod")
    store.set("message", "planted-value")
    store.set("pw", f'{{"uri": "{secret_id("pw")}"}}', content_type=VAULT_TYPE)
    set_flag(store, "beta")
    path = tmp_path / "copy"
    resolver = Resolver(pw="planted-secret")
    load(
        connection_string=store.connection_string,
        secret_resolver=resolver,
        feature_flag_enabled=True,
        cache=FileCache(path),
    ).close()
    return path


def test_show_names_what_is_kept(bare: Run, path: Path, store: Emulator) -> None:
    """Keys, labels and content types are listed, and when the store confirmed them; no values."""
    shown = bare("cache", "show", str(path))
    assert shown.exit_code == 0
    keys = [line.split("\t")[0] for line in shown.stdout.splitlines()]
    assert sorted(keys) == [".appconfig.featureflag/beta", "message", "pw"]
    assert shown.stderr.startswith(f"3 settings of {store.endpoint}, loaded 20")
    assert "confirmed 20" in shown.stderr
    assert "planted" not in shown.output
    assert "vault.azure.net" not in shown.output


def test_show_values_shows_no_secret(bare: Run, path: Path) -> None:
    """With `--values` settings are shown as they stand in the file: references, not secrets."""
    shown = bare("cache", "show", str(path), "--values")
    assert "message\t\tplanted-value\t\n" in shown.stdout
    assert secret_id("pw") in shown.stdout
    assert "planted-secret" not in shown.output


def test_a_file_that_no_start_would_use_is_not_shown(bare: Run, path: Path) -> None:
    """A damaged file, and one that is not there, end with code 1 and one line."""
    for spoil in (lambda: path.write_bytes(path.read_bytes()[:-1]), path.unlink):
        spoil()
        shown = bare("cache", "show", str(path), "--values")
        assert shown.exit_code == 1
        assert shown.stdout == ""
        assert len(shown.stderr.splitlines()) == 1
        assert "planted" not in shown.output
    assert "There is no file" in shown.stderr


def test_clear_removes_the_file(bare: Run, path: Path) -> None:
    """The file goes, and what killed writers left; a second time there is nothing to do."""
    (path.parent / f"copy.{'a' * 16}.tmp").write_text("half")
    assert bare("cache", "clear", str(path)).output == f"Removed {path}.\n"
    assert list(path.parent.iterdir()) == []
    again = bare("cache", "clear", str(path))
    assert (again.exit_code, again.output) == (0, f"There is no file {path}.\n")


def test_a_time_that_no_calendar_has_is_shown_as_unknown(bare: Run, path: Path) -> None:
    """A clock may have been wrong when the file was written."""
    stored = FileCache(path).read(0.0)
    assert stored is not None
    path.write_bytes(sealed(stored.text, stored.digest, 1e12, 1e12))
    shown = bare("cache", "show", str(path))
    assert (shown.exit_code, "loaded at an unknown time" in shown.stderr) == (0, True)


def test_clear_goes_on_beside_what_cannot_be_removed(bare: Run, path: Path) -> None:
    """A folder with the name of a temporary file stays."""
    (path.parent / f"copy.{'a' * 16}.tmp").mkdir()
    assert bare("cache", "clear", str(path)).exit_code == 0
    assert not path.exists()


def test_clear_removes_nothing_else(bare: Run, path: Path) -> None:
    """A file that is not one of ours, or a link to one, stays."""
    other = path.parent / "precious"
    other.write_text("precious")
    other.chmod(0o600)
    link = path.parent / "link"
    link.symlink_to(path)
    for one in (other, link, path.parent):
        assert bare("cache", "clear", str(one)).exit_code == 1
    told = bare("cache", "clear", str(other)).output
    assert "Only the file of a FileCache is removed: check the path, or delete" in told
    assert other.exists()
    assert link.is_symlink()
    assert path.exists()
