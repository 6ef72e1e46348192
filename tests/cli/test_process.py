"""The command as a process: the emulator, missing extras, help, odd terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from appconfig_provider import __version__
from appconfig_provider.cli.commands import VARIABLES
from appconfig_provider.testing import Emulator

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "appconfig_provider.cli")
PATIENCE = 20.0


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, where nothing names a store but what a test adds."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **added}


def run(*command: str, **added: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with some variables in its environment."""
    return subprocess.run(
        command,
        env=environment(added),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def emulator(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `appconfig emulator` on a free port; give the process and its connection string."""
    with subprocess.Popen(
        [*COMMAND, "emulator", "--port", "0", *arguments],
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            connection_string = process.stdout.readline().strip()
            assert connection_string.startswith("Endpoint=")
            assert process.stdout.readline().startswith("Serving ")
            yield process, connection_string
        finally:
            process.kill()


def test_help_and_version() -> None:
    """--help names every command and both variables, --version the version."""
    shown = run(*COMMAND, "--help").stdout
    for word in ("emulator", "get", "list", "set", *VARIABLES):
        assert word in shown
    assert __version__ in run(*COMMAND, "--version").stdout


def test_without_click_and_rich() -> None:
    """Without the extra the command ends with 1 and one line that tells what to install."""
    result = run(sys.executable, "-S", "-m", "appconfig_provider.cli", "list")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert 'pip install "appconfig-provider[cli]"' in result.stderr


def test_without_the_web_server() -> None:
    """Without the emulator's extra, `emulator` tells what to install, in one line."""
    code = "import sys; sys.modules['uvicorn'] = None; import appconfig_provider.cli as cli"
    result = run(sys.executable, "-c", f"{code}; cli.main()", "emulator", "--port", "0")
    assert result.returncode == 1
    assert 'pip install "appconfig-provider[emulator]"' in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the tests as well")
def test_emulator_keeps_data(tmp_path: Path) -> None:
    """The emulator starts with the seed, ends quietly on Ctrl-C and finds its data again."""
    seed, data = tmp_path / "seed.json", tmp_path / "data.db"
    seed.write_text(json.dumps({"message": "seeded"}), encoding="utf-8")
    with emulator("--data", str(data), "--seed", str(seed)) as (process, store):
        assert run(*COMMAND, "get", "message", **{VARIABLES[0]: store}).stdout == "seeded\n"
        written = run(*COMMAND, "set", "other", "kept", **{VARIABLES[1]: store})
        assert (written.returncode, written.stderr) == (0, "")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        assert process.stdout.read() in {"", "\n"}
    with emulator("--data", str(data)) as (process, store):
        listed = run(*COMMAND, "list", **{VARIABLES[0]: store}).stdout
        assert listed == "message\t\tseeded\t\nother\t\tkept\t\n"


def test_a_listing_seeds_an_emulator(tmp_path: Path) -> None:
    """What `list --json` prints is a seed: a store can be copied to this machine."""
    seed = tmp_path / "seed.json"
    with Emulator() as store:
        store.set("message", "früh ☀", "dev", "text/plain", {"a": "b", "c": None})
        first = run(*COMMAND, "list", "--json", **{VARIABLES[0]: store.connection_string}).stdout
    seed.write_text(first, encoding="utf-8")
    with emulator("--seed", str(seed), "--page-size", "1") as (_, copy):
        assert run(*COMMAND, "list", "--json", **{VARIABLES[0]: copy}).stdout == first


def test_value_that_cannot_be_shown() -> None:
    """A value that the output's encoding lacks ends in one line that names the way out."""
    with Emulator() as store:
        store.set("sun", "☀")
        named = {VARIABLES[0]: store.connection_string, "PYTHONIOENCODING": "latin-1"}
        result = run(*COMMAND, "get", "sun", **named)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "PYTHONUTF8=1" in result.stderr
