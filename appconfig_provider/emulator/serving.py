"""Running the emulator in the foreground, as the command line does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from appconfig_provider.emulator.app import create_app
from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.seeds import read_seed
from appconfig_provider.emulator.server import Server
from appconfig_provider.emulator.store import Store, StoreError

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
    say: Callable[[str], object] = print,
) -> None:
    """Serve a store until Ctrl-C; ``say`` gets the connection string and one line about it.

    ``data`` names the file that keeps the settings; without it they are gone at the end. ``seed``
    is read into the store at every start: what it names is set, everything else stays.

    Raises:
        ServeError: a bad seed file or page size (exit code 2), a data file that cannot be used or
            a port that is taken (exit code 1).
    """
    try:
        drafts = () if seed is None else read_seed(seed)
        with contextlib.closing(Store(data)) as store:
            store.load(drafts)
            app = create_app(store, (access_key,), page_size=page_size)
            with Server(app, host=host, port=port) as server:
                say(connection_string(server.endpoint, access_key))
                say(_HINT.format(count=_count(store.size), endpoint=server.endpoint))
                with contextlib.suppress(KeyboardInterrupt):
                    while not server.wait(_POLL_SECONDS):
                        pass
    except ValueError as error:
        raise ServeError(str(error), 2) from error
    except StoreError as error:
        raise ServeError(str(error), 1) from error
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port}: {error.strerror}", 1) from error


def _count(settings: int) -> str:
    return "1 setting" if settings == 1 else f"{settings} settings"
