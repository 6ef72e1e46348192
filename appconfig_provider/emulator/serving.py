"""Running the emulator in the foreground, as the command line does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection

from starlette.types import ASGIApp

from appconfig_provider.emulator.app import create_app
from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.control import PATH, Control
from appconfig_provider.emulator.seeds import read_seed
from appconfig_provider.emulator.server import Server
from appconfig_provider.emulator.store import Store, StoreError
from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.emulator.tokens import STORE_AUDIENCES, Tokens

_POLL_SECONDS = 0.5
_HINT = "Serving {count} on {endpoint}. Stop with Ctrl-C."


class ServeError(Exception):
    """The emulator could not start; the message is one line, ``exit_code`` what to end with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def connection_string(endpoint: str, access_key: AccessKey) -> str:
    """The connection string of an endpoint; the endpoint comes first and ends without a slash."""
    return f"Endpoint={endpoint};Id={access_key.id};Secret={access_key.secret}"


def serve(  # noqa: PLR0913 - the options of a command line
    *,
    host: str = "127.0.0.1",
    port: int = 8483,
    data: str | os.PathLike[str] | None = None,
    seed: str | os.PathLike[str] | None = None,
    page_size: int = 100,
    access_key: AccessKey = DEFAULT_ACCESS_KEY,
    tls: bool = False,
    tokens: Collection[str] = (),
    control: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a store until Ctrl-C; ``say`` gets the connection string and lines about it.

    ``data`` names the file that keeps the settings; without it they are gone at the end. ``seed``
    is read into the store at every start: what it names is set, everything else stays. With ``tls``
    it speaks https with a certificate of its own, and takes bearer tokens: JWTs for an audience of
    the service, signed or not, and the texts in ``tokens``. ``control`` lets anybody set faults at
    ``/_control``.

    Raises:
        ServeError: a bad seed file or page size (exit code 2), a data file that cannot be used, a
            port that is taken or TLS that cannot be had (exit code 1).
    """
    try:
        drafts = () if seed is None else read_seed(seed)
        faults = Control() if control else None
        now = time.time if faults is None else faults.now
        certificate = local_certificate(host) if tls else None
        accepted = Tokens(STORE_AUDIENCES, tokens, now)

        def make_app(store: Store) -> ASGIApp:
            keys = (access_key,)
            return create_app(store, keys, page_size=page_size, now=now, tokens=accepted)

        with contextlib.ExitStack() as stack:
            store = stack.enter_context(contextlib.closing(Store(data, now=now)))
            store.load(drafts)
            if faults is not None:
                stack.enter_context(contextlib.closing(faults))
            app = make_app(store) if faults is None else faults.around(store, make_app)
            server = Server(app, host=host, port=port, certificate=certificate)
            stack.enter_context(server)
            _introduce(server, say, connection_string(server.endpoint, access_key), store.size)
            if certificate is not None:
                say(f"Trust the CA certificate {certificate.ca_file}")
            if faults is not None:
                say(f"Set faults at {server.endpoint}{PATH}")
            _wait(server)
    except ValueError as error:
        raise ServeError(str(error), 2) from error
    except (StoreError, ImportError) as error:
        raise ServeError(str(error), 1) from error
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port}: {error.strerror}", 1) from error


def _introduce(server: Server, say: Callable[[str], object], text: str, settings: int) -> None:
    say(text)
    say(_HINT.format(count=_count(settings), endpoint=server.endpoint))


def _wait(server: Server) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while not server.wait(_POLL_SECONDS):
            pass


def _count(settings: int) -> str:
    return "1 setting" if settings == 1 else f"{settings} settings"
