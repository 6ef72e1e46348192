"""A plugin for pytest: coroutine functions are tests, and those named in LEFT_OUT are left out."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os

import azure.keyvault.secrets
import azure.keyvault.secrets.aio
import pytest

from . import test_proxy  # noqa: F401 - a fixture

for _client in (azure.keyvault.secrets.SecretClient, azure.keyvault.secrets.aio.SecretClient):
    # The vault's challenge names the domain of the service; the host is this machine.
    _client.__init__ = functools.partialmethod(  # type: ignore[method-assign, assignment]
        _client.__init__, verify_challenge_resource=False
    )


@pytest.fixture(scope="session")
def patch_sleep() -> None:
    """Do nothing, where the repository leaves out waits as it plays back."""


patch_async_sleep = patch_sleep


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of the tests."""
    for name in ("asyncio", "live_test_only"):
        config.addinivalue_line("markers", name)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = pyfuncitem.funcargs
    wanted = [name for name in inspect.signature(pyfuncitem.obj).parameters if name in given]
    asyncio.run(pyfuncitem.obj(**{name: given[name] for name in wanted}))
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is to be left out; a name that no test has any more is an error."""
    named = set(os.environ["LEFT_OUT"].split())
    left_out = [item for item in items if item.nodeid in named]
    if unknown := named - {item.nodeid for item in left_out}:
        raise pytest.UsageError(f"no such test to leave out: {', '.join(sorted(unknown))}")
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item.nodeid not in named]
