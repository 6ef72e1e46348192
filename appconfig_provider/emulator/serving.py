"""Running the emulator in the foreground, as the command line does."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from starlette.applications import Starlette
from starlette.types import ASGIApp

from appconfig_provider.emulator.access import Access
from appconfig_provider.emulator.app import create_app
from appconfig_provider.emulator.configcat_api import configcat_routes
from appconfig_provider.emulator.configcat_file import ConfigFile
from appconfig_provider.emulator.control import Control
from appconfig_provider.emulator.seeds import Seeded, plant, read_seed
from appconfig_provider.emulator.server import Server
from appconfig_provider.emulator.store import Store, StoreError
from appconfig_provider.emulator.tls import Certificate, LocalCertificate
from appconfig_provider.emulator.wire import CONTROL_PATH

_POLL_SECONDS = 0.1
#: Tells the client of this package which address stands for ConfigCat's CDN.
_CONFIGCAT_VARIABLE = "APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL"
_log = logging.getLogger("appconfig_provider.emulator")


class ServeError(Exception):
    """The emulator could not start; the message is one line, ``exit_code`` what to end with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def serve(  # noqa: PLR0913 - the options of a command line
    *,
    host: str = "127.0.0.1",
    port: int = 8483,
    data: str | os.PathLike[str] | None = None,
    seeds: Sequence[str | os.PathLike[str]] = (),
    page_size: int = 100,
    access: Access | None = None,
    certificate: Certificate | None = None,
    control: bool = False,
    replicas: int = 0,
    configcat: str | os.PathLike[str] | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a store until Ctrl-C; ``say`` gets the connection strings and lines about it.

    ``data`` names the file that keeps the settings; without it they are gone at the end. ``seeds``
    are read into the store at every start, in their order: what they name is set, everything else
    stays. ``access`` tells who is let in; without it that is the holder of the default access key,
    and an address that other machines reach is logged as a warning. With a ``certificate``, such as
    :func:`local_certificate` gives, it speaks https. ``control`` lets anybody set faults at
    ``/_control``. ``replicas`` is how many more endpoints the same store has, on the ports after
    the first one, or on free ones when ``port`` is 0. ``configcat`` names a file with a config of
    ConfigCat that every endpoint serves, too; it is read again whenever it changes.

    Raises:
        ServeError: a bad seed or config file, page size or number, or an anonymous owner on an
            address that other machines reach (exit code 2); a data file that cannot be used or a
            port that is taken (exit code 1).
    """
    allowed = access or Access()
    try:
        watched = None if configcat is None else ConfigFile(configcat, say)
        make_app = partial(_make_app, allowed, page_size, watched)
        seeded = [item for seed in seeds for item in read_seed(seed)]
        ports = _ports(port, replicas)
        controls = [Control() for _ in ports] if control else []
        with contextlib.ExitStack() as stack:
            for each in controls:
                stack.callback(each.close)
            now = controls[0].now if controls else time.time
            store = stack.enter_context(contextlib.closing(Store(data, now=now)))
            _plant(store, seeded, data)
            if controls:
                apps = [each.around(store, partial(make_app, now=each.now)) for each in controls]
            else:
                apps = [make_app(store, now=time.time)] * len(ports)
            servers = [
                stack.enter_context(_listening(app, (host, number), certificate, allowed))
                for app, number in zip(apps, ports, strict=True)
            ]
            for each, server in zip(controls, servers, strict=False):
                each.server, each.endpoints = server, controls
            _warn(allowed.warning(servers[0].address))
            for line in chain(
                _introduction(servers, allowed, store.size),
                _of_configcat(watched, servers[0]),
                _to_trust(certificate),
                (f"Set faults at {each.endpoint}{CONTROL_PATH}" for each in servers if controls),
            ):
                say(line)
            _wait(servers[0], watched)
    except ValueError as error:
        raise ServeError(str(error), 2) from error
    except (StoreError, ImportError, OSError) as error:
        raise ServeError(str(error), 1) from error


def _make_app(
    access: Access,
    page_size: int,
    configcat: ConfigFile | None,
    store: Store,
    *,
    now: Callable[[], float],
) -> Starlette:
    beside = () if configcat is None else configcat_routes(configcat.configs, now)
    return create_app(store, access, page_size=page_size, now=now, beside=beside)


def _plant(store: Store, seed: Iterable[Seeded], data: str | os.PathLike[str] | None) -> None:
    try:
        plant(store, seed)
    except sqlite3.Error as error:  # the disk is full, or the file is damaged
        raise StoreError(f"cannot use the data file {data}: {error}") from error


def _ports(first: int, replicas: int) -> list[int]:
    if replicas < 0:
        raise ValueError(f"a number of replicas is not negative, and {replicas} is")
    return [first + number if first else 0 for number in range(replicas + 1)]


def _listening(
    app: ASGIApp, address: tuple[str, int], certificate: Certificate | None, access: Access
) -> Server:
    host, port = address
    try:
        return Server(app, host=host, port=port, certificate=certificate, access=access)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        hint = "; another emulator? --port 0 takes a free one" if taken else ""
        raise ServeError(f"cannot listen on {host}:{port}: {error.strerror}{hint}", 1) from error


def _introduction(servers: Sequence[Server], access: Access, settings: int) -> Iterator[str]:
    for server in servers:
        yield access.access_keys[0].connection_string(server.endpoint)
    first, *others = servers
    also = f" and {_count(len(others), 'replica')}" if others else ""
    yield f"Serving {_count(settings, 'setting')} on {first.endpoint}{also}. Stop with Ctrl-C."
    for key in (key for key in access.access_keys if key.read_only):
        for server in servers:
            yield f"Read only: {key.connection_string(server.endpoint)}"


def _of_configcat(watched: ConfigFile | None, server: Server) -> Iterator[str]:
    if watched is not None:
        yield f"{_CONFIGCAT_VARIABLE}={server.endpoint}"


def _warn(warning: str | None) -> None:
    if warning is not None:
        _log.warning(warning)


def _to_trust(certificate: Certificate | None) -> Iterator[str]:
    if not isinstance(certificate, LocalCertificate):
        return
    yield f"Trust the CA certificate {certificate.ca_file}"
    if certificate.ca_key_file is not None:
        yield f"Keep its private key secret: {certificate.ca_key_file}"


def _wait(server: Server, watched: ConfigFile | None) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while not server.wait(_POLL_SECONDS):
            if watched is not None:
                watched.check()


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
