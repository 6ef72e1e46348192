"""What the tests of the official clients import from the SDK's repository, in its live form.

The repository's package of this name plays recordings back, or asks the cloud. This one has no
recordings: every test speaks to the store that the environment names, with a token of our own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import uuid
from collections.abc import Callable
from typing import Any

import azure.identity
import azure.identity.aio
import pytest

from appconfig_provider.testing import AsyncStaticCredential, StaticCredential

Test = Callable[..., Any]


def is_live() -> bool:
    """True: nothing is played back."""
    return True


def get_credential(*, is_async: bool = False) -> Any:
    """A credential that the emulator accepts."""
    return AsyncStaticCredential() if is_async else StaticCredential()


class AzureRecordedTestCase:
    """The base of the clients' test classes."""

    is_live = True

    def get_credential(self, _client: type, *, is_async: bool = False) -> Any:
        """A credential that the emulator accepts."""
        return get_credential(is_async=is_async)

    def get_resource_name(self, name: str) -> str:
        """A name that no other test uses."""
        return f"{name}{uuid.uuid4().hex}"


class EnvironmentVariableLoader:
    """Gives a test the environment's values for the parameters that it is made with."""

    def __init__(self, _service: str, **defaults: str) -> None:
        self._names = tuple(defaults)

    def __call__(self, test: Test) -> Test:
        """The same test without these parameters, and no coroutine function any more."""
        signature = inspect.signature(test)
        takes_all = inspect.Parameter.VAR_KEYWORD in {
            each.kind for each in signature.parameters.values()
        }
        given = [name for name in self._names if takes_all or name in signature.parameters]

        @functools.wraps(test)
        def prepared(*arguments: Any, **options: Any) -> None:
            values = {name: os.environ[name.upper()] for name in given}
            result = test(*arguments, **options, **values)
            if inspect.iscoroutine(result):
                asyncio.run(result)

        left = [each for name, each in signature.parameters.items() if name not in given]
        prepared.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return prepared


PowerShellPreparer = EnvironmentVariableLoader  # its name in older versions


def recorded_by_proxy(test: Test) -> Test:
    """The same test: nothing is recorded."""
    return test


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Do nothing, where the repository starts a proxy that records."""


def _nothing(*_arguments: object, **_options: object) -> None:
    """Do nothing: these say how to compare with a recording, and what to keep out of it."""


add_general_regex_sanitizer = _nothing
add_general_string_sanitizer = _nothing
add_oauth_response_sanitizer = _nothing
add_remove_header_sanitizer = _nothing
add_uri_string_sanitizer = _nothing
remove_batch_sanitizers = _nothing
set_bodiless_matcher = _nothing
set_custom_default_matcher = _nothing

# A module of the tests that makes its credential by itself imports it after this package.
azure.identity.DefaultAzureCredential = StaticCredential  # type: ignore[assignment,misc]
azure.identity.aio.DefaultAzureCredential = AsyncStaticCredential  # type: ignore[assignment,misc]
