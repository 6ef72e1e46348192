"""``appconfig emulator`` is the command line of the emulator package, not a copy of it."""

from __future__ import annotations

import pytest

from appconfig_provider.emulator import command

from .conftest import Run


def test_help_is_of_the_emulator(bare: Run) -> None:
    """--help and -h show the options of the emulator itself, under this command's name."""
    for option in ("--help", "-h"):
        result = bare("emulator", option)
        assert result.exit_code == 0
        assert result.stdout.startswith("usage: appconfig emulator [options]")
        for named in ("--control", "--token", "--access-key-id", "--anonymous", "--replicas"):
            assert named in result.stdout


def test_arguments_are_passed_on(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every argument reaches the emulator as it was given, and its exit code comes back."""
    given: list[object] = []

    def main(arguments: list[str], prog: str) -> int:
        given.append((arguments, prog))
        return 7

    monkeypatch.setattr(command, "main", main)
    result = bare("emulator", "--x", "--", "-h", "--version", "y")
    assert result.exit_code == 7
    assert given == [(["--x", "--", "-h", "--version", "y"], "appconfig emulator")]
