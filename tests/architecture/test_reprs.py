"""Records whose fields hold values, keys, tokens or errors of users do not show them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

import appconfig_provider

HIDDEN = {
    "auth",
    "body",
    "connection_string",
    "credential",
    "credentials",
    "decoded",
    "error",
    "headers",
    "proxy",
    "secret",
    "sign",
    "sync_token",
    "values",
}
"""Names of fields that hold what nobody is to see."""


def records() -> Iterator[type]:
    """Yield the dataclasses and named tuples of the package, the emulator's left out."""
    for module in pkgutil.walk_packages(appconfig_provider.__path__, "appconfig_provider."):
        if ".emulator" in module.name or module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        for _, kind in inspect.getmembers(loaded, inspect.isclass):
            if kind.__module__ == module.name and (is_dataclass(kind) or hasattr(kind, "_fields")):
                yield kind


@pytest.mark.parametrize(
    "kind", sorted(set(records()), key=str), ids=lambda kind: kind.__qualname__
)
def test_a_record_does_not_show_what_it_holds(kind: type) -> None:
    """A field that may hold a secret, a value or an error of a user is left out of the repr."""
    if is_dataclass(kind):
        shown = {one.name for one in fields(kind) if one.repr and one.name in HIDDEN}
        assert shown == set()
    else:
        named = set(kind._fields) & (HIDDEN | {"value"})  # type: ignore[attr-defined]
        assert not named or "__repr__" in vars(kind)
