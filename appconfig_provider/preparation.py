"""What `load()` does before the first request: check arguments, and make what the plans need."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.tracing import read_environment
from appconfig_provider._azure.vaults import asynchronous
from appconfig_provider._live.threads import refuse_coroutine
from appconfig_provider._version import __version__
from appconfig_provider.checks import is_coroutine_function, path_shown
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import drop_frames, mark_own

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity import DefaultAzureCredential

    from appconfig_provider._io.network import Network

Credential: TypeAlias = "TokenCredential | AsyncTokenCredential | None"


def options_of(given: dict[str, Any]) -> Options | TypeError | ValueError:
    """Check the keywords of `load()`; return the options, or the error.

    The error is returned without frames, not raised here: error trackers show the locals of frames,
    and in the frames of the checks these are keys and passwords.
    """
    try:
        options = Keywords(**given).checked()
        _check_file(options.network.tls)
        options = _with_surroundings(options)
    except (TypeError, ValueError) as error:
        mark_own(error)
        drop_frames(error)
        return error
    return options


def _with_surroundings(options: Options) -> Options:
    """Return the options with what overrides want of this process: variables, the folder."""
    if not options.overrides:
        return options
    from appconfig_provider.overrides.values import BadOverride

    try:
        overrides = tuple(one.at_load(os.environ, os.path.abspath) for one in options.overrides)
    except BadOverride as error:
        raise error.as_public() from None
    return replace(options, overrides=overrides)


def _check_file(tls: object) -> None:
    if isinstance(tls, str) and not os.path.exists(tls):  # noqa: PTH110 - pathlib is slow to import
        raise ValueError(f"verify: there is no CA file or folder {path_shown(tls)}")


def make_context(options: Options, clock: Clock, credential: Credential) -> Context:
    """Return what the plans get from outside: options, clock, random numbers, headers."""
    version = ".".join(map(str, sys.version_info[:3]))
    agent = f"appconfig-provider/{__version__} Python/{version}"
    if options.network.user_agent:
        agent = f"{options.network.user_agent} {agent}"
    own = {name for name, _ in options.network.headers}
    defaults = (("user-agent", agent), ("accept", "*/*"))
    ours = tuple((name, value) for name, value in defaults if name not in own)
    environment = read_environment(os.environ, _feature_management(options))
    if "correlation-context" in own:
        environment = replace(environment, enabled=False)
    headers = ours + options.network.headers
    return Context(options, credential, clock, random.random, headers, environment)


def network_of(options: Options) -> Network:
    """Return how the store is reached, according to the options."""
    # Imported here: it imports httpcore, which takes longer than all of this package.
    from appconfig_provider._io.network import Network

    given = options.network
    keepalive = max(4 * options.refresh.interval, 60.0)
    return Network(given.connect_timeout, given.read_timeout, keepalive, given.proxy, given.tls)


def _feature_management(options: Options) -> str:
    """Return the version of the library that will read the flags, for the tracing header."""
    if options.selection.flags is None:
        return ""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("featuremanagement")
    except PackageNotFoundError:
        return ""


def refuse_coroutines(options: Options) -> None:
    """Raise if an option is asynchronous, so that only `aio` could await it."""
    try:
        _refuse_coroutines(options)
    except TypeError as error:
        mark_own(error)
        raise


def _refuse_coroutines(options: Options) -> None:
    callbacks = (*options.callbacks.success, *options.callbacks.error)
    functions = [callback.function for callback in callbacks]
    functions += [one for one in (options.selection.mapper, options.selection.validate) if one]
    for function in functions:
        refuse_coroutine(function)
    own = getattr(options.store.credential, "get_token", None)
    if is_coroutine_function(own) or asynchronous(options.secrets.vaults) is not None:
        raise TypeError(
            "a credential or secret_resolver is asynchronous; use appconfig_provider.aio.load, or "
            "the credential of the same name in azure.identity"
        )


class LateCredential:
    """A `DefaultAzureCredential` that is imported and made when the first token is wanted."""

    def __init__(self) -> None:
        self._made: dict[str, DefaultAzureCredential] = {}

    def get_token(self, *scopes: str, claims: str | None = None) -> AccessToken:
        """Return a token of the credential."""
        if not self._made:
            from azure.identity import DefaultAzureCredential

            # Threads that come at the same time agree on one.
            self._made.setdefault("", DefaultAzureCredential())
        return self._made[""].get_token(*scopes, claims=claims)

    def close(self) -> None:
        """Close the credential, if it was made."""
        for credential in self._made.values():
            credential.close()
