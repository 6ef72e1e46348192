"""A store, and the command that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from appconfig_provider.cli.commands import VARIABLES, appconfig
from appconfig_provider.testing import Emulator

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give an empty store with pages of three."""
    with Emulator(page_size=3) as emulator:
        yield emulator


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with no store in the environment but the one a test gives."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
        result = CliRunner().invoke(appconfig, arguments, env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def run(bare: Run, store: Emulator) -> Run:
    """Run the command with the store in the environment."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
        return bare(*arguments, env={VARIABLES[0]: store.connection_string, **(env or {})})

    return run
