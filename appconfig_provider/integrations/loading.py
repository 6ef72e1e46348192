"""The function of a program that loads a configuration for OpenFeature, and what it raises."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from openfeature.exception import ProviderFatalError

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.integrations.resolution import Flags
from appconfig_provider.trouble import describe, name_of

logger = logging.getLogger("appconfig_provider")

REFUSED = frozenset({400, 401, 403})
"""The statuses by which a store refuses a request or a credential for good."""

_AWAIT = "load with appconfig_provider.aio yourself, and pass the configuration"


def check_loader(loader: Callable[..., object]) -> None:
    """Check a function that is to load a configuration.

    Raises:
        TypeError: it is asynchronous; OpenFeature's `initialize` cannot await it.
    """
    if is_coroutine_function(loader):
        raise TypeError(f"{name_of(loader)} is asynchronous; {_AWAIT}")


def load_with(loader: Callable[[], Any], flags_of: Callable[[Any], Flags]) -> Flags:
    """Return the flags of what a function of the program loads.

    Raises:
        ProviderFatalError: arguments or credentials were refused, which no repetition heals.
        Exception: what else the function raises.
    """
    try:
        loaded = loader()
    except Exception as error:
        logger.warning("OpenFeature provider not initialized: %s", describe(error))
        if is_refusal(error):
            raise ProviderFatalError(describe(error)) from error
        raise
    name = name_of(loader)
    if inspect.isawaitable(loaded):
        with suppress(Exception):
            loaded.close()  # type: ignore[attr-defined]  # a coroutine has it
        raise ProviderFatalError(f"{name} has to be awaited; {_AWAIT}")
    try:
        flags = flags_of(loaded)
    except TypeError as error:
        raise ProviderFatalError(f"{name} returned the wrong thing: {error}") from None
    if is_coroutine_function(getattr(flags.configuration, "close", None)):
        raise ProviderFatalError(f"{name} returned what only asyncio can close; {_AWAIT}")
    return flags


def is_refusal(error: Exception) -> bool:
    """Tell whether arguments or credentials were refused.

    Of Python's own errors only these two themselves: others that derive from them are about what
    the store holds.
    """
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, HttpResponseError):
        return isinstance(error, ClientAuthenticationError) or error.status_code in REFUSED
    if type(error) in {TypeError, ValueError}:
        return True
    from appconfig_provider.configcat.interfaces import ConfigCatClientException

    return isinstance(error, ConfigCatClientException)
