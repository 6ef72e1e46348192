"""Bindings over overrides: which changes of a file reach them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from appconfig_provider import BindingError, Overrides
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Opener


class Pool(BaseModel):
    """What is bound."""

    model_config = ConfigDict(frozen=True)

    size: int
    host: str = "none"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of overrides."""
    path = tmp_path / "dev.json"
    write(path, {"pool:size": 7, "other": 1})
    return path


def write(path: Path, values: dict[str, object]) -> None:
    """Write the file of overrides."""
    path.write_text(json.dumps(values), encoding="utf-8")


def test_a_binding_keeps_its_instance_until_its_own_part_changes(
    opened: Opener, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """Overrides elsewhere in the file, and those that say what was there before, make no other."""
    store.set_many({"pool:size": "5", "pool:host": "north"})
    config = opened(connection_string=store.connection_string, overrides=Overrides.from_file(path))
    binding = config.provider.bind(Pool, "pool")
    first = binding.value
    assert first == Pool(size=7, host="north")
    for given in ({"pool:size": 7, "other": 2}, {"pool:size": 7, "pool:host": "north"}):
        write(path, dict(given))
        clock.advance(1)
        assert config.refresh()
        assert binding.value is first
        assert binding.of(config.snapshot) is first
    write(path, {"other": 3})
    clock.advance(1)
    assert config.refresh()
    assert binding.value == Pool(size=5, host="north")


def test_an_override_that_does_not_fit_is_not_published(
    opened: Opener, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """The binding refuses the file as it does the store: the old overrides stay, and it is told."""
    errors: list[Exception] = []
    config = opened(
        connection_string=store.connection_string,
        overrides=Overrides.from_file(path),
        on_refresh_error=errors.append,
    )
    binding = config.provider.bind(Pool, "pool")
    before, first = config.snapshot, binding.value
    write(path, {"pool:size": "many"})
    clock.advance(1)
    assert not config.refresh()
    assert config.snapshot is before
    assert binding.value is first
    assert [type(one) for one in errors] == [BindingError]
    assert config.status.last_error is errors[0]
    write(path, {"pool:size": 8})
    clock.advance(1)
    assert config.refresh()
    assert binding.value == Pool(size=8)
    assert config.status.last_error is None
