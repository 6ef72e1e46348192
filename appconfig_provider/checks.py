"""Checks of arguments that any source may need; each returns the argument in the form it is used.

A wrong type is a `TypeError`, a wrong value a `ValueError`. Both name the keyword and say what to
write instead.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from appconfig_provider.models import Polling
from appconfig_provider.texts import argument, holds_secret, kind_of

if TYPE_CHECKING:
    import ssl

_T = TypeVar("_T")

MAX_SECONDS = 366 * 86_400.0

HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""The characters that the value of a header may have."""


def items(name: str, given: object, kind: type[_T]) -> list[_T]:
    """Return the entries of a list argument; None means none, and a single str is a mistake."""
    if given is None:
        return []
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{name} takes a list, not {type(given).__name__}")
    entries = list(given)
    for entry in entries:
        if not isinstance(entry, kind):
            raise TypeError(f"{name} takes {kind.__name__} entries, not {type(entry).__name__}")
    return entries


def text(name: str, given: str | None) -> str | None:
    """Return a text that a header can have; None means the default."""
    if given is None:
        return None
    if not isinstance(given, str):
        raise TypeError(f"{name} must be a str, not {type(given).__name__}")
    if not HEADER_VALUE.fullmatch(given):
        raise ValueError(f"{name} must be plain ASCII text on one line")
    if not given:
        raise ValueError(f"{name} must not be empty; None is the default")
    if holds_secret(given):
        raise ValueError(f"{name} holds an access key or a connection string")
    return given


def proxy(given: str | None, name: str = "proxy") -> str | None:
    """Return a proxy's address; no error quotes it, since it may hold a password."""
    address = text(name, given)
    if address is not None and not _is_proxy(address):
        raise ValueError(f"{name} must read http://host:port")
    return address


def _is_proxy(address: str) -> bool:
    if not re.fullmatch(r"(https?|socks5h?)://[^\s/]+/?", address):
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0  # an invalid port raises
    except ValueError:
        return False


def proxies(given: object) -> Mapping[str, str] | None:
    """Return proxies by scheme or origin, as requests takes them: `{"https": "127.0.0.1:8080"}`.

    One without a scheme is an HTTP proxy; None or an empty text means: no proxy. No error quotes an
    address, since it may hold a password.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"proxies must be a dict of addresses by scheme, not {kind_of(given)}")
    table = {}
    for name, address in given.items():
        if not isinstance(name, str) or not isinstance(address, str | None):
            raise TypeError("proxies must be a dict of str to str")
        table[name.lower()] = proxy(_with_scheme(address), "proxies") or "" if address else ""
    return table


def _with_scheme(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def proxy_credentials(given: Any) -> tuple[str, str] | None:
    """Return user and password for a proxy, of any object that has both."""
    if given is None:
        return None
    user, password = getattr(given, "username", None), getattr(given, "password", None)
    if not isinstance(user, str) or not isinstance(password, str):
        raise TypeError("proxy_auth must have the texts username and password")
    return user, password


def verify(given: bool | str | ssl.SSLContext | None) -> bool | str | ssl.SSLContext:
    """Return `verify`: True, False, the path of a CA file or folder, or a TLS context."""
    if given is None:
        return True
    if not isinstance(given, bool | str) and not hasattr(given, "wrap_socket"):
        raise TypeError("verify must be True, False, the path of a CA file, or an ssl.SSLContext")
    return given


_FILE = re.compile(r".{1,300}\.(pem|crt|cer|txt|json|jsonc|toml)", re.IGNORECASE)


def path_shown(given: str) -> str:
    """Return the path of a file for an error; it is quoted only if it ends as such files do.

    Somebody may have passed an access key by mistake.
    """
    return repr(given) if _FILE.fullmatch(given) and not holds_secret(given) else argument(given)


def seconds(name: str, given: float | None, default: float, least: float) -> float:
    """Return a number of seconds."""
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {argument(given)}")
    if not least <= given <= MAX_SECONDS:
        raise ValueError(
            f"{name} must be a number of seconds from {least:g} to {MAX_SECONDS:.0f}, "
            f"not {argument(given)}"
        )
    return float(given)


def count(name: str, given: int | None, default: int) -> int:
    """Return a whole number that is not negative."""
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} must be a whole number, not {argument(given)}")
    if given < 0:
        raise ValueError(f"{name} must not be negative, and {argument(given)} is")
    return given


def flag(name: str, given: bool | None, *, default: bool) -> bool:
    """Return a bool; no other type is accepted."""
    if given is None:
        return default
    if not isinstance(given, bool):
        raise TypeError(f"{name} must be True or False, not {argument(given)}")
    return given


def polling(given: object) -> Polling:
    """Return the polling mode."""
    if given is None:
        return Polling.manual()
    if not isinstance(given, Polling):
        raise TypeError(
            "polling must be Polling.manual(), Polling.auto() or Polling.lazy(ttl), brackets "
            f"included, not {argument(given)}"
        )
    return given


def function(name: str, given: Callable[..., object] | None) -> Callable[..., object] | None:
    """Return a function, or None."""
    if given is not None and not callable(given):
        raise TypeError(f"{name} must be a function, not {argument(given)}")
    return given


def choice(name: str, given: str | None, allowed: tuple[str, ...]) -> str | None:
    """Return a text that must be one of `allowed`, or None."""
    if given is not None and given not in allowed:
        *most, last = map(repr, (*allowed, None))
        raise ValueError(f"{name} must be {', '.join(most)} or {last}, not {argument(given)}")
    return given


def is_coroutine_function(function: object) -> bool:
    """Tell whether calling `function` gives a coroutine, also through `partial` or `__call__`."""
    while isinstance(function, partial):
        function = function.func
    call = getattr(type(function), "__call__", None)  # noqa: B004 - an object's own call
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
