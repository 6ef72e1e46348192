"""A config file that is served by the command, and read again when it changes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appconfig_provider.emulator.configcat_file import MAX_BYTES, ConfigFile, read_configs
from appconfig_provider.emulator.configcat_forms import InvalidConfig

from .test_process import run, running, stop

#: As the page about ConfigCat's SDK shows it, with comments and a comma too many.
COMMENTED = """{
  "f": { // list of feature flags & settings
    "isFeatureEnabled": { /* key */
      "v": false, // default value
      "i": "http://x/*y*/", "t": 1, "c": "a\\",]",
    },
  }
}"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one flag."""
    path = tmp_path / "flags.json"
    path.write_text('{"flags": {"a": 1}}')
    return path


@pytest.fixture
def said() -> list[str]:
    """The lines that were printed."""
    return []


@pytest.fixture
def watched(path: Path, said: list[str]) -> ConfigFile:
    """The file as it is served."""
    return ConfigFile(path, said.append)


def keys(watched: ConfigFile, sdk_key: str = "any") -> list[str]:
    """Return the keys of the settings that an SDK key gets."""
    file = watched.configs.file(sdk_key, "config_v6.json")
    return [] if file is None else list(json.loads(file.body)["f"])


def check(watched: ConfigFile) -> None:
    """Check as often as a change needs."""
    watched.check()
    watched.check()


def test_comments_and_commas(path: Path) -> None:
    """Comments and commas before a bracket are allowed, and texts that look like them stay."""
    path.write_text(COMMENTED, encoding="utf-8-sig")
    config = read_configs(path)[None]
    assert config.v6 is None
    assert config.v5 is not None
    setting = config.v5["f"]["isFeatureEnabled"]
    assert setting == {"v": False, "i": "http://x/*y*/", "t": 1, "c": 'a",]'}


def test_configs_by_key(path: Path, watched: ConfigFile) -> None:
    """A file may have a config for each SDK key; `*` is for all others, which else get none."""
    by_key = {"a/b": {"flags": {"own": 1}}, "*": {"flags": {"other": 1}}}
    path.write_text(json.dumps({"sdk_keys": by_key}))
    check(watched)
    assert (keys(watched, "a/b"), keys(watched)) == (["own"], ["other"])
    del by_key["*"]
    path.write_text(json.dumps({"sdk_keys": by_key}))
    check(watched)
    assert keys(watched, "a/b") == ["own"]
    assert watched.configs.file("other", "config_v6.json") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ('{"flags": {"a": 1},}, //', "Extra data: line 1"),
        ("/* " * 10, "Expecting value"),
        ('{"sdk_keys": []}', "'sdk_keys' is an object of configs"),
        ('{"sdk_keys": {}, "f": {}}', "stands alone"),
        ('{"sdk_keys": {"a": {"f": {}}, "secret": {}}}', "SDK key number 2: a config has"),
        ('"text"', "a config is a JSON object"),
        ("[" * 1_000, "nested too deeply"),
    ],
)
def test_files_that_cannot_be_used(path: Path, text: str, message: str) -> None:
    """The refusal of a file names it and the place, but no SDK key."""
    path.write_text(text)
    with pytest.raises(InvalidConfig) as refused:
        read_configs(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_files_without_a_text(path: Path, content: bytes | None) -> None:
    """A file that is missing or no text is refused by its name."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidConfig, match=r"flags\.json: "):
        read_configs(path)


def test_a_file_that_is_too_large(path: Path) -> None:
    """No more is read of a file than a config may have."""
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(InvalidConfig, match="larger than 64 MB"):
        read_configs(path)


def test_a_long_text_without_an_end_is_read_quickly(path: Path) -> None:
    """The time to look for comments grows with the length of a text, not with its square."""
    began = time.monotonic()
    for text in ('"' + "\\" * 300_001, "/*" * 150_000, "," + " " * 300_000, '{"a' * 100_000):
        path.write_text(text)
        with pytest.raises(InvalidConfig):
            read_configs(path)
    assert time.monotonic() - began < 2  # 0.1 s where nothing else runs


def test_a_change_is_served(path: Path, watched: ConfigFile, said: list[str]) -> None:
    """A changed file is read once, when two checks have found it the same."""
    check(watched)
    assert said == []
    path.write_text('{"flags": {"a": 1, "b": 2}}')
    watched.check()
    assert keys(watched) == ["a"]
    watched.check()
    assert keys(watched) == ["a", "b"]
    check(watched)
    assert said == [f"Serving {path} as it is now."]


def test_a_broken_file_changes_nothing(
    path: Path, watched: ConfigFile, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A file that breaks or goes is warned of once, and what was served stays until it is good."""
    path.write_text('{"flags": ')
    for _ in range(3):
        check(watched)
    path.unlink()
    for _ in range(3):
        check(watched)
    assert keys(watched) == ["a"]
    messages = [record.getMessage() for record in caplog.records]
    assert [each.levelno for each in caplog.records] == [logging.WARNING] * 2
    assert messages[0].startswith(f"warning: {path}: Expecting value")
    assert messages[1].startswith(f"warning: {path}: No such file")
    assert said == []
    path.write_text('{"flags": {"b": 2}}')
    check(watched)
    assert keys(watched) == ["b"]
    assert len(said) == 1


def test_a_file_that_is_replaced(path: Path, watched: ConfigFile) -> None:
    """A file that another one is renamed to is noticed, with the same size and date, too."""
    before = path.stat()
    other = path.with_suffix(".new")
    other.write_text('{"flags": {"b": 1}}')
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    check(watched)
    assert keys(watched) == ["b"]


def lines(process: subprocess.Popen[str], count: int) -> Iterator[str]:
    """Read so many of the next lines."""
    assert process.stdout is not None
    for _ in range(count):
        yield process.stdout.readline().rstrip("\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_the_command(path: Path) -> None:
    """It prints the variable to set, serves the file beside the store, and reads it again."""
    with running("--configcat", str(path), "--control") as (process, parts):
        variable, control = lines(process, 2)
        assert variable == f"APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL={parts['Endpoint']}"
        url = f"{parts['Endpoint']}/configuration-files/a/b/config_v6.json"
        with httpx.Client(trust_env=False) as client:
            answer = client.get(url)
            assert list(answer.json()["f"]) == ["a"]
            assert "date" in answer.headers
            assert client.get(f"{parts['Endpoint']}/kv").status_code == 401
            path.write_text('{"flags": {"b": true}}')
            assert list(lines(process, 1)) == [f"Serving {path} as it is now."]
            assert list(client.get(url).json()["f"]) == ["b"]
            fault = {"status": 503, "path": "/configuration-files/", "times": 1}
            client.put(control.removeprefix("Set faults at "), json=fault)
            assert [client.get(url).status_code for _ in range(2)] == [503, 200]
        path.write_text("{")
        assert process.stderr is not None
        warning = process.stderr.readline()
        assert warning.startswith(f"warning: {path}: Expecting property name")
        assert stop(process) == (0, "", "")


def test_a_store_without_the_option_serves_no_configs() -> None:
    """Without the option the paths of ConfigCat are unknown."""
    with running() as (_, parts):
        url = f"{parts['Endpoint']}/configuration-files/a/b/config_v6.json"
        assert httpx.get(url, trust_env=False).status_code == 404


@pytest.mark.parametrize("text", [None, "{", '{"k": 1}'])
def test_a_start_with_a_bad_file(
    capsys: pytest.CaptureFixture[str], path: Path, text: str | None
) -> None:
    """A file that cannot be used at the start is one line on stderr that names it, and code 2."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    code, line = run(capsys, "--port", "0", "--configcat", str(path))
    assert code == 2
    assert f"error: {path}: " in line
