"""A store for the samples where no account is at hand: on this machine, gone when they end."""

import os

from appconfig_provider.testing import Emulator

_HINT = """\
{name} is not set, so this sample brings a store of its own.
To change its values, copy these lines into another terminal:

    {exports}
    appconfig set message 'Hello World Refreshed!'
    appconfig set sentinel 2
"""

_FIRST = "APPCONFIGURATION_CONNECTION_STRING"


def use_local_store_without(name: str) -> None:
    """Start a store with the tutorial's key-values unless the environment variable names one."""
    if os.environ.get(name):
        return
    store = Emulator()
    store.start()  # on a daemon thread, which ends with the program
    store.set_many({"message": "Hello World!", "sentinel": "1"})
    os.environ[name] = store.connection_string
    # `appconfig` looks at both names; one left over from another walk-through would win.
    names = sorted({name, _FIRST})
    exports = "\n    ".join(_export(each, store.connection_string) for each in names)
    print(_HINT.format(name=name, exports=exports), flush=True)


def _export(name: str, value: str) -> str:
    """Return how a shell sets the variable: PowerShell on Windows, any other elsewhere."""
    return f"$env:{name} = '{value}'" if os.name == "nt" else f"export {name}='{value}'"
