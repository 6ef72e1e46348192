"""The commands: what they are called, what they take, what they say when something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._io.http import NAME_A_CA
from appconfig_provider._version import __version__
from appconfig_provider.cli.cache import cache
from appconfig_provider.cli.display import show, show_value
from appconfig_provider.cli.store import RemoteStore
from appconfig_provider.selectors import NO_LABEL, SettingSelector
from appconfig_provider.texts import printable, quoted

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

VARIABLES: Final = ("APPCONFIGURATION_CONNECTION_STRING", "AZURE_APPCONFIG_CONNECTION_STRING")
LOCAL_PORT = 8483
"""Where `appconfig emulator` listens unless told otherwise."""

_EPILOG = """
\b
Try it without an account, in two terminals:
  appconfig emulator
  appconfig set message 'Hello World!'
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(__version__)
def appconfig() -> None:
    """Read and write Azure App Configuration, or run a store on this machine.

    The store is named by --connection-string or by an environment variable,
    APPCONFIGURATION_CONNECTION_STRING or AZURE_APPCONFIG_CONNECTION_STRING. Without them it is the
    one that `appconfig emulator` runs.
    """


class _Unparsed(click.Command):
    """A command that reads its arguments itself, ``--help`` too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = args
        return args


@appconfig.command(cls=_Unparsed)
@click.pass_context
def emulator(context: click.Context, /) -> None:
    """Run a store on this machine until Ctrl-C."""
    from appconfig_provider.emulator.command import main

    sys.exit(main(context.args, context.command_path))


def _store_option(command: AnyFunction) -> AnyFunction:
    named = click.option(
        "--connection-string",
        envvar=VARIABLES,
        metavar="TEXT",
        help="The store; better given in the environment, because other users can see arguments.",
    )
    trusted = click.option(
        "--ca-file",
        type=click.Path(exists=True),
        metavar="FILE",
        help="CA file that the store's certificate is signed with.",
    )
    return named(trusted(command))


def _checked_key(_context: click.Context, _parameter: click.Parameter, key: str) -> str:
    if not key or key in {".", ".."} or "%" in key:
        raise click.BadParameter("a key is not empty, is not '.' or '..', and has no '%'")
    return key


def _key_argument(command: AnyFunction) -> AnyFunction:
    return click.argument("key", callback=_checked_key)(command)


def _label_option(command: AnyFunction) -> AnyFunction:
    return click.option("--label", metavar="LABEL", help="Its label; without: no label.")(command)


@appconfig.command("set")
@_key_argument
@click.argument("value")
@_label_option
@click.option("--content-type", metavar="TYPE", help="Its content type, such as application/json.")
@_store_option
def set_value(
    key: str,
    value: str,
    label: str | None,
    content_type: str | None,
    connection_string: str | None,
    ca_file: str | None,
) -> None:
    """Write a value.

    What is not given stays as it is: the tags, and the content type. A VALUE that begins with a
    dash comes after two of them: appconfig set offset -- -1
    """
    with _connected(connection_string, ca_file) as store:
        before = store.put(key, label, value, content_type)
        done = "Created" if before is None else "Updated"
        click.echo(f"{done} {_named(key, label)} at {store.url}.")


@appconfig.command()
@_key_argument
@_label_option
@_store_option
def delete(key: str, label: str | None, connection_string: str | None, ca_file: str | None) -> None:
    """Delete a setting; exit code 1 when there is none."""
    with _connected(connection_string, ca_file) as store:
        if not store.delete(key, label):
            raise click.ClickException(f"The store has no {_named(key, label)}.")
        click.echo(f"Deleted {_named(key, label)} at {store.url}.")


@appconfig.command()
@_key_argument
@_label_option
@_store_option
def lock(key: str, label: str | None, connection_string: str | None, ca_file: str | None) -> None:
    """Make a setting read-only; exit code 1 when there is none."""
    with _connected(connection_string, ca_file) as store:
        _lock(store, key, label, locked=True)


@appconfig.command()
@_key_argument
@_label_option
@_store_option
def unlock(key: str, label: str | None, connection_string: str | None, ca_file: str | None) -> None:
    """Let a setting be written again; exit code 1 when there is none."""
    with _connected(connection_string, ca_file) as store:
        _lock(store, key, label, locked=False)


def _lock(store: RemoteStore, key: str, label: str | None, *, locked: bool) -> None:
    if not store.lock(key, label, locked=locked):
        raise click.ClickException(f"The store has no {_named(key, label)}.")
    click.echo(f"{'Locked' if locked else 'Unlocked'} {_named(key, label)} at {store.url}.")


@appconfig.command()
@_key_argument
@_label_option
@_store_option
def get(key: str, label: str | None, connection_string: str | None, ca_file: str | None) -> None:
    """Print a value, and nothing else; exit code 1 when there is none.

    A file or a pipe gets the text as it is stored. On a terminal its control characters are shown
    as escapes, because they would be orders to the terminal.
    """
    with _connected(connection_string, ca_file) as store:
        item = store.get(key, label)
    if item is None:
        raise click.ClickException(f"The store has no {_named(key, label)}.")
    show_value(item.value or "")


@appconfig.command("list")
@click.option(
    "--key", metavar="FILTER", default="*", help="A key, a,b or a prefix such as app:* (all)."
)
@click.option(
    "--label",
    metavar="FILTER",
    default="*",
    help=r"A label, a,b or a prefix such as dev*; \0 is no label (all).",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, with everything but the dates; a seed for an emulator.",
)
@_store_option
def list_settings(
    key: str,
    label: str,
    as_json: bool,
    connection_string: str | None,
    ca_file: str | None,
) -> None:
    """List settings.

    On a terminal they are a table, elsewhere a line each with tabs between.
    """
    labels = ",".join(NO_LABEL if part == r"\0" else part for part in label.split(","))
    try:
        selector = SettingSelector(key_filter=key, label_filter=labels)
    except ValueError as error:
        raise click.UsageError(printable(error)) from error
    with _connected(connection_string, ca_file) as store:
        items = store.select(selector)
    show(items, as_json=as_json)


appconfig.add_command(cache)


def _named(key: str, label: str | None) -> str:
    return f"setting {quoted(key)} " + (f"with label {quoted(label)}" if label else "without label")


@contextmanager
def _connected(connection_string: str | None, ca_file: str | None) -> Iterator[RemoteStore]:
    """Connect to the store that was named, or to the local one; end in one line on trouble."""
    try:
        with RemoteStore(connection_string or _local_store(), ca_file) as store:
            yield store
    except RequestFailed as failure:
        raise click.ClickException(_explained(failure, connection_string)) from failure
    except UnicodeEncodeError as error:
        message = (
            f"A text cannot be sent as {error.encoding}; check arguments and connection string."
        )
        raise click.ClickException(message) from error
    except ValueError as error:
        raise click.ClickException(printable(error)) from error


def _local_store() -> str:
    from appconfig_provider.emulator import DEFAULT_ACCESS_KEY as KEY

    return f"Endpoint=http://127.0.0.1:{LOCAL_PORT};Id={KEY.id};Secret={KEY.secret}"


def _explained(failure: RequestFailed, connection_string: str | None) -> str:
    if connection_string is None and failure.kind is Kind.UNREACHABLE:
        return (
            f"No store was named and none runs on this machine ({failure.origin}). "
            f"Set {VARIABLES[0]}, or start one: appconfig emulator"
        )
    if failure.hint == NAME_A_CA:
        return f"{failure.origin}: {failure.detail}; name the CA file that signed it by --ca-file"
    return str(failure)
