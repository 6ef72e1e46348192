"""A local App Configuration store: the same REST API, on this machine, without an account.

Run it with ``python -m appconfig_provider.emulator`` and copy the connection string it prints.
It shares no code with the client of this package, so a misreading of the API cannot hide on both
sides. The web server is imported when it is first needed; it comes with the extra ``emulator``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appconfig_provider.emulator.access import Access, Role
    from appconfig_provider.emulator.app import create_app
    from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
    from appconfig_provider.emulator.model import Draft, Setting
    from appconfig_provider.emulator.server import Server
    from appconfig_provider.emulator.serving import ServeError, serve
    from appconfig_provider.emulator.store import Store
    from appconfig_provider.emulator.tls import Certificate, local_certificate

__all__ = [
    "DEFAULT_ACCESS_KEY",
    "Access",
    "AccessKey",
    "Certificate",
    "Draft",
    "Role",
    "ServeError",
    "Server",
    "Setting",
    "Store",
    "create_app",
    "local_certificate",
    "serve",
]

_HOMES = {
    "DEFAULT_ACCESS_KEY": "auth",
    "Access": "access",
    "AccessKey": "auth",
    "Certificate": "tls",
    "Draft": "model",
    "Role": "access",
    "ServeError": "serving",
    "Server": "server",
    "Setting": "model",
    "Store": "store",
    "create_app": "app",
    "local_certificate": "tls",
    "serve": "serving",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
            raise
        raise ImportError(
            f"the emulator needs {error.name}: "
            'install it with pip install "appconfig-provider[emulator]"'
        ) from error
    return getattr(home, name)
