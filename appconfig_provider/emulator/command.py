"""The command line of the emulator, whichever command it stands behind.

``python -m appconfig_provider.emulator`` and ``appconfig emulator`` both give their arguments to
:func:`main`, so that they take the same options and end with the same exit codes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

from appconfig_provider.emulator.access import ROLES, Access
from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.tls import (
    Certificate,
    kept_certificate,
    local_certificate,
    own_certificate,
)

_MAX_PORT = 65_535


def main(
    arguments: Sequence[str] | None = None, prog: str = "python -m appconfig_provider.emulator"
) -> int:
    """Run the command and return its exit code.

    Raises:
        SystemExit: after ``--help``, and with code 2 for arguments that the parser refuses.
    """
    options = _parser(prog).parse_args(arguments)
    try:
        from appconfig_provider.emulator import ServeError, serve
    except ImportError as error:  # it names the extra to install
        return _failed(error, 1)
    try:
        with _stopped_by_sigterm():
            serve(
                host=options.host,
                port=options.port,
                data=options.data,
                seeds=options.seed,
                page_size=options.page_size,
                access=_access(options),
                certificate=_certificate(options),
                control=options.control,
                replicas=options.replicas,
                configcat=options.configcat,
                say=partial(print, flush=True),
            )
    except KeyboardInterrupt:
        return 0
    except ServeError as error:
        return _failed(error, error.exit_code)
    except ValueError as error:
        return _failed(error, 2)
    except OSError as error:
        return _failed(error, 1)
    return 0


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: the first process of a container would not end by it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _failed(error: Exception, code: int) -> int:
    # It may quote a seed file, whose control characters would be orders to the terminal.
    told = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(error))
    sys.stderr.write(f"error: {told}\n")
    return code


def _certificate(options: argparse.Namespace) -> Certificate | None:
    """What the server shows; None without any option of TLS."""
    names = (options.host, *options.allow_host)
    if options.certificate is not None or options.private_key is not None:
        if options.certificate is None or options.private_key is None or options.ca_file:
            raise ValueError("--certificate and --private-key go together, without --ca-file")
        return own_certificate(options.certificate, options.private_key)
    try:
        if options.ca_file is not None:
            return kept_certificate(options.ca_file, *names)
        return local_certificate(*names) if options.tls else None
    except ModuleNotFoundError as error:
        needed = 'install it with pip install "appconfig-provider[emulator]"'
        raise OSError(f"a certificate needs {error.name}: {needed}") from error


def _access(options: argparse.Namespace) -> Access:
    if options.token and not (options.tls or options.ca_file or options.certificate):
        raise ValueError("--token needs https: add --tls (or --ca-file, or --certificate)")
    if options.anonymous_anywhere and options.anonymous != "owner":
        raise ValueError("--anonymous-anywhere goes with --anonymous owner")
    return Access(
        access_keys=(
            AccessKey(options.access_key_id, options.access_key_secret),
            *(_read_only(text) for text in options.read_only_key),
        ),
        tokens=options.token,
        anonymous=options.anonymous,
        anonymous_anywhere=options.anonymous_anywhere,
        hosts=options.allow_host,
        origins=options.cors,
    )


class _Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; --help tells the options\n")


def _read_only(text: str) -> AccessKey:
    name, separator, secret = text.partition("=")
    if not separator:
        raise ValueError("--read-only-key is given as ID=SECRET, with the secret in base64")
    return AccessKey(name, secret, read_only=True)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        usage="%(prog)s [options]",
        description="Run an App Configuration store on this machine until Ctrl-C. The first line"
        " it prints is its connection string; those of replicas follow.",
        allow_abbrev=False,
    )
    _add_place(parser)
    _add_content(parser)
    _add_access(parser)
    _add_names(parser)
    _add_trouble(parser)
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    place = parser.add_argument_group("where it listens")
    place.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    place.add_argument(
        "--port",
        type=_number(0, _MAX_PORT),
        default=8483,
        help="port to listen on; 0 takes a free one (%(default)s)",
    )
    place.add_argument("--tls", action="store_true", help="https, with a certificate it makes")
    place.add_argument(
        "--ca-file",
        type=_file,
        metavar="FILE",
        help="https; the CA of the certificate is kept in this file, and made when there is none",
    )
    place.add_argument(
        "--certificate", type=_file, metavar="FILE", help="https, with a certificate of yours"
    )
    place.add_argument(
        "--private-key", type=_file, metavar="FILE", help="the private key of --certificate"
    )


def _add_content(parser: argparse.ArgumentParser) -> None:
    content = parser.add_argument_group("what it holds")
    content.add_argument(
        "--data",
        type=_file,
        metavar="FILE",
        help="keep the settings in this file; else they go with the end",
    )
    content.add_argument(
        "--seed",
        type=_file,
        action="append",
        default=[],
        metavar="FILE.json",
        help="set what this file holds, at every start: what 'appconfig list --json' prints, or a"
        " plain object of keys and values; several are read in their order",
    )
    content.add_argument(
        "--page-size", type=_number(1), default=100, help="items on a page (%(default)s)"
    )
    content.add_argument(
        "--configcat",
        type=_file,
        metavar="FILE.json",
        help="serve a ConfigCat config, too: one that was downloaded, or"
        ' {"flags": {"key": value}}; it is read again when it changes',
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    access = parser.add_argument_group("who is let in")
    access.add_argument(
        "--access-key-id",
        default=DEFAULT_ACCESS_KEY.id,
        metavar="ID",
        help="with its secret: the access key, instead of the one that everybody knows",
    )
    access.add_argument("--access-key-secret", default=DEFAULT_ACCESS_KEY.secret, metavar="BASE64")
    access.add_argument(
        "--read-only-key",
        action="append",
        default=[],
        metavar="ID=BASE64",
        help="an access key that may only read; its connection string is printed, too",
    )
    access.add_argument(
        "--token", action="append", default=[], help="a bearer token to accept (with --tls)"
    )
    access.add_argument(
        "--anonymous",
        choices=ROLES,
        help="accept requests without an Authorization header: an owner may write, a reader not",
    )
    access.add_argument(
        "--anonymous-anywhere",
        action="store_true",
        help="allow --anonymous owner on an address that other machines reach",
    )


def _add_names(parser: argparse.ArgumentParser) -> None:
    names = parser.add_argument_group("what it may be called, and from where")
    names.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host that requests may name, beside localhost, IP addresses and --host; the"
        " certificate holds for it, too",
    )
    names.add_argument(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let the web pages of an origin in, such as http://localhost:3000",
    )


def _add_trouble(parser: argparse.ArgumentParser) -> None:
    trouble = parser.add_argument_group("for tests")
    trouble.add_argument(
        "--replicas",
        type=_number(0),
        default=0,
        metavar="N",
        help="more endpoints of the same store, on the next ports (%(default)s)",
    )
    trouble.add_argument(
        "--control", action="store_true", help="let anybody set faults at /_control"
    )


def _file(text: str) -> str:
    """The name of a file: a variable of a shell that is not set is none."""
    if not text:
        raise argparse.ArgumentTypeError("a file has a name")
    return text


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads a whole number in a range."""
    allowed = f"at least {least}" if most is None else f"{least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {allowed}")
        return number

    return read
