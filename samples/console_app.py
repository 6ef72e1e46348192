"""The tutorial's console application: python samples/console_app.py, Ctrl-C ends it."""
# The tutorial's own lines stand here as they stand there, so no tool may touch them.
# fmt: off
# ruff: noqa: ANN001, ANN201, D103, I001
# mypy: allow-untyped-defs, disable-error-code=import-not-found

from appconfig_provider import load, WatchKey
import os
import time

from local_store import use_local_store_without

use_local_store_without("APPCONFIGURATION_CONNECTION_STRING")
connection_string = os.environ.get("APPCONFIGURATION_CONNECTION_STRING")


def on_refresh_success(changes):
    print("Changed:", ", ".join(changes.changed))


# Connecting to Azure App Configuration using connection string
# Setting up to refresh when the Sentinel key is changed.
config = load(
    connection_string=connection_string,
    refresh_on=[WatchKey("sentinel")],
    refresh_interval=10, # Default value is 30 seconds, shorted for this sample
    on_refresh_success=on_refresh_success,
)

print("Update the `message` in your Azure App Configuration store using Azure portal or CLI.")
print("First, update the `message` value, and then update the `sentinel` key value.")

try:
    while (True):
        # Refreshing the configuration setting
        config.refresh()
        # Current value of message
        print(config["message"])
        # Waiting before the next refresh
        time.sleep(5)
except KeyboardInterrupt:
    config.close()
