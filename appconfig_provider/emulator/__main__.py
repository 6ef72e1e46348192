"""``python -m appconfig_provider.emulator``: a store on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from appconfig_provider.emulator import DEFAULT_ACCESS_KEY, AccessKey, ServeError, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        access_key = AccessKey(options.access_key_id, options.access_key_secret)
        serve(
            host=options.host,
            port=options.port,
            data=options.data,
            seed=options.seed,
            page_size=options.page_size,
            access_key=access_key,
            tls=options.tls,
            tokens=options.token,
            control=options.control,
            replicas=options.replicas,
            say=partial(print, flush=True),
        )
    except KeyboardInterrupt:
        return 0
    except ServeError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m appconfig_provider.emulator",
        description="Serve an App Configuration store on this machine.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=8483, help="0 takes a free one (%(default)s)")
    parser.add_argument("--data", metavar="FILE", help="keep the settings in this file")
    parser.add_argument("--seed", metavar="FILE.json", help="settings to begin with")
    parser.add_argument("--page-size", type=int, default=100, help="items a page (%(default)s)")
    parser.add_argument("--access-key-id", default=DEFAULT_ACCESS_KEY.id, metavar="ID")
    parser.add_argument("--access-key-secret", default=DEFAULT_ACCESS_KEY.secret, metavar="BASE64")
    parser.add_argument("--tls", action="store_true", help="https, with a certificate it makes")
    parser.add_argument(
        "--token", action="append", default=[], help="a bearer token to accept (with --tls)"
    )
    parser.add_argument(
        "--control", action="store_true", help="let anybody set faults at /_control, for tests"
    )
    parser.add_argument(
        "--replicas",
        type=int,
        default=0,
        metavar="N",
        help="more endpoints of the same store, on the next ports (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
