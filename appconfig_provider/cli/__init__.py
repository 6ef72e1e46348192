"""The `appconfig` command: a store on this machine, and the settings of any store.

click and rich come with the extra `cli`; without them the command says so in one line.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and end it."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        needed = " and ".join(missing)
        sys.exit(f'appconfig needs {needed}: pip install "appconfig-provider[cli]"')
    from appconfig_provider.cli.commands import appconfig

    try:
        appconfig(prog_name="appconfig")
    except UnicodeEncodeError as error:
        sys.exit(f"Error: the output cannot show a text as {error.encoding}; try PYTHONUTF8=1")
