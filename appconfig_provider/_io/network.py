"""How stores are reached: proxies, TLS and timeouts."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from urllib.parse import urlsplit

import httpcore

from appconfig_provider._fetch.origins import host_of, is_loopback
from appconfig_provider.texts import printable

MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Proxy:
    """The address of a proxy, and the user and password for it."""

    url: httpcore.URL
    auth: tuple[bytes, bytes] | None = field(repr=False)

    @property
    def socks(self) -> bool:
        """True for a SOCKS5 proxy, False for an HTTP proxy."""
        return self.url.scheme.startswith(b"socks")

    @property
    def secure(self) -> bool:
        """True when the connection to the proxy itself uses TLS."""
        return self.url.scheme == b"https"


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach a store; times in seconds."""

    connect_timeout: float
    read_timeout: float
    keepalive: float
    proxy: str | None = field(repr=False)
    verify: bool | str | ssl.SSLContext
    trusted: tuple[object, ...] = ()
    """The versions of the CA files when this was made; files that were replaced are read again."""
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    """Proxies by scheme (`https`), by origin (`https://host`) or for `all`; empty means: none. They
    count before those of the environment."""
    proxy_login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password for whichever proxy is used, instead of those in its address."""

    def as_of_now(self) -> Network:
        """Return the same with the CA files as they are now."""
        return replace(self, trusted=_versions(self.verify))

    def proxy_for(self, origin: str) -> Proxy | None:
        """Return the proxy for an origin: the given one, else the environment's.

        Raises:
            ValueError, ImportError: it cannot be used; the message shows no password.
        """
        address = self.proxy or self._listed(origin)
        if address is None:
            address = _proxy_of_environment(origin)
        return _proxy(address, self.proxy_login) if address else None

    def _listed(self, origin: str) -> str | None:
        """Return the proxy that is given for an origin, empty for none; None if nothing is said."""
        if not self.proxies:
            return None
        parts = urlsplit(origin)
        scheme, host = parts.scheme, parts.hostname
        names = (f"{scheme}://{host}", scheme, f"all://{host}", "all")
        return next((self.proxies[name] for name in names if name in self.proxies), None)

    def proxy_shown(self, origin: str) -> str:
        """Return the address of the proxy for an origin, without user and password; or nothing."""
        try:
            proxy = self.proxy_for(origin)
        except (ValueError, ImportError):
            return ""
        if proxy is None:
            return ""
        scheme, host = proxy.url.scheme.decode("ascii"), proxy.url.host.decode("ascii")
        shown = f"[{host}]" if ":" in host else host
        return printable(f"{scheme}://{shown}" + (f":{proxy.url.port}" if proxy.url.port else ""))

    def tls(self, origin: str) -> ssl.SSLContext | None:
        """Return the TLS context for an origin that needs one."""
        return None if origin.startswith("http://") else self.context()

    def context(self) -> ssl.SSLContext:
        """Return the TLS context; it is shared by the process until its CA files change.

        Raises:
            ValueError: the CA files cannot be used.
        """
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        return trusted_context(self.verify, self.trusted)

    def timeouts(self, left: float) -> dict[str, float]:
        """Return httpcore's limits for each step of a request that has `left` seconds in all."""
        connect, read = min(self.connect_timeout, left), min(self.read_timeout, left)
        return {"connect": connect, "pool": connect, "read": read, "write": read}


def _proxy_of_environment(origin: str) -> str | None:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if is_loopback(origin) or not _may_have_proxies():
        return None  # a proxy cannot reach what runs on this machine
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host_of(origin)) or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _may_have_proxies() -> bool:
    """Tell whether it is worth importing what asks for proxies, which takes 10 ms."""
    asks_the_system = sys.platform in {"darwin", "win32"}
    return asks_the_system or any(name.lower().endswith("_proxy") for name in os.environ)


def _proxy(address: str, login: tuple[str, str] | None) -> Proxy:
    """Parse the address of a proxy; no error quotes it, since it may hold a password."""
    import httpx

    try:
        proxy = httpx.Proxy(address)
        port, host = proxy.url.port, proxy.url.raw_host
    except (ValueError, httpx.InvalidURL):
        port, host = None, b""
    if not host or (port or 0) > MAX_PORT:
        raise ValueError("the proxy must read http://host:port; http may be https or socks5")
    scheme = proxy.url.scheme
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise ImportError('a SOCKS proxy needs socksio; pip install "httpcore[socks]"')
    url = httpcore.URL(scheme=scheme, host=host, port=port, target="/")
    if login is not None:
        return Proxy(url, (login[0].encode(), login[1].encode()))
    return Proxy(url, proxy.raw_auth)


_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that name CA files; they count when `verify` is True."""


@lru_cache(maxsize=8)
def trusted_context(
    verify: bool | str,
    trusted: tuple[object, ...],  # noqa: ARG001 - part of the key
) -> ssl.SSLContext:
    """Return a context that trusts a CA file, the environment's or certifi's, or any certificate.

    `trusted` tells files of the same name apart: one that was replaced is read again.
    """
    try:
        if isinstance(verify, str):
            folder = os.path.isdir(verify)  # noqa: PTH112 - pathlib costs 5 ms of every import
            if folder:
                return ssl.create_default_context(capath=verify)
            return ssl.create_default_context(cafile=verify)
        import httpx  # its import takes 10 ms, which a store without TLS is spared

        return httpx.create_ssl_context(verify=verify)
    except OSError as error:
        named = ", ".join(name for name in _VARIABLES if os.environ.get(name))
        what = f"verify={verify!r}" if isinstance(verify, str) or not named else named
        raise ValueError(
            f"{what}: the CA certificates cannot be read ({error.strerror or type(error).__name__})"
        ) from error


def _versions(verify: bool | str | ssl.SSLContext) -> tuple[object, ...]:
    """Return a value that changes when a file of CA certificates that is in use is replaced."""
    if isinstance(verify, str):
        return _version(verify)
    if verify is not True:
        return ()
    named = (os.environ.get(name) for name in _VARIABLES)
    return tuple((path, _version(path)) for path in named if path)


def _version(path: str) -> tuple[object, ...]:
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs 5 ms of every import
            return _stamp(os.stat(path))  # noqa: PTH116 - the same
        with os.scandir(path) as entries:
            return tuple(sorted((entry.name, *_stamp(entry.stat())) for entry in entries))
    except OSError as error:
        return (type(error).__name__,)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino
