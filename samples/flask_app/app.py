"""The tutorial's web application: flask --app samples/flask_app/app run."""
# The tutorial's own lines stand here as they stand there, so no tool may touch them.
# fmt: off
# ruff: noqa: ANN201, D103, E501, I001, PLW0602
# mypy: ignore-errors

from appconfig_provider import load, WatchKey
from flask import Flask, render_template
from pathlib import Path
import os
import sys

sys.path.append(str(Path(__file__).parents[1]))
from local_store import use_local_store_without

use_local_store_without("AZURE_APPCONFIG_CONNECTION_STRING")
app = Flask(__name__)

azure_app_config = None  # declare azure_app_config as a global variable


def on_refresh_success():
    global azure_app_config
    app.config.update(azure_app_config)


azure_app_config = load(connection_string=os.environ.get("AZURE_APPCONFIG_CONNECTION_STRING"),
                        refresh_on=[WatchKey("sentinel")],
                        on_refresh_success=on_refresh_success,
                        refresh_interval=10, # Default value is 30 seconds, shortened for this sample
                        )
app.config.update(azure_app_config)


@app.route("/")
def index():
    global azure_app_config
    # Refresh the configuration from Azure App Configuration service.
    azure_app_config.refresh()

    # Access a configuration setting directly from within Flask configuration
    print("Request for index page received")
    context = {}
    context["message"] = app.config.get("message")
    return render_template("index.html", **context)


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
