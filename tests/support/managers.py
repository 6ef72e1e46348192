"""The feature managers for threads and for asyncio behind one interface, called without `await`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from appconfig_provider import flags
from appconfig_provider.flags import aio


class Manage(Protocol):
    """Makes a manager with any keywords of `FeatureManager`."""

    def __call__(self, mapping: Mapping[str, Any], **keywords: Any) -> Any: ...


class Called:
    """A manager of asyncio whose methods are awaited by whoever calls them."""

    def __init__(self, manager: aio.FeatureManager) -> None:
        self.manager = manager

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.manager, name)
        if name == "of":
            return lambda snapshot: Called(found(snapshot))
        return waiting(found) if inspect.iscoroutinefunction(found) else found


def waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs a coroutine function on an event loop of its own."""
    return lambda *given, **named: asyncio.run(function(*given, **named))


def manage_sync(mapping: Mapping[str, Any], **keywords: Any) -> Any:
    """Make a manager for threads."""
    return flags.FeatureManager(mapping, **keywords)


def manage_aio(mapping: Mapping[str, Any], **keywords: Any) -> Any:
    """Make a manager for asyncio."""
    return Called(aio.FeatureManager(mapping, **keywords))


MANAGERS: dict[str, Manage] = {"sync": manage_sync, "aio": manage_aio}


def holding(*defined: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that has these flags."""
    return {"feature_management": {"feature_flags": list(defined)}}


def flag(name: str = "x", *filters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a flag that is enabled, with filters."""
    conditions = {"conditions": {"client_filters": list(filters)}} if filters else {}
    return {"id": name, "enabled": True, **conditions, **more}


def targeting(**audience: Any) -> dict[str, Any]:
    """Return a targeting filter."""
    return {"name": "Microsoft.Targeting", "parameters": {"Audience": audience}}


def window(**parameters: Any) -> dict[str, Any]:
    """Return a time window filter."""
    return {"name": "Microsoft.TimeWindow", "parameters": parameters}
