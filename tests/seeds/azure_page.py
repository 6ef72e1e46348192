"""The code blocks of the Azure tutorial on dynamic configuration, retyped.

Every line that survived on the page is here, letter by letter, but for the import line; what the
page lost (indentation, commas, lines, imports) is filled in.
"""

from __future__ import annotations

IMPORT = "from appconfig_provider import load, WatchKey"
"""The one line that is changed."""

CONSOLE = f"""
{IMPORT}
import os
import time
connection_string = os.environ.get("APPCONFIGURATION_CONNECTION_STRING")

# Connecting to Azure App Configuration using connection string
# Setting up to refresh when the Sentinel key is changed.
config = load(
    connection_string=connection_string,
    refresh_on=[WatchKey("sentinel")],
    refresh_interval=10, # Default value is 30 seconds, shorted for this sample
)

print("Update the `message` in your Azure App Configuration store using Azure portal or CLI.")
print("First, update the `message` value, and then update the `sentinel` key value.")

while (True):
    # Refreshing the configuration setting
    config.refresh()

    # Current value of message
    print(config["message"])

    # Waiting before the next refresh
    time.sleep(5)
"""

EXISTING = """
from flask import Flask, render_template
import os

app = Flask(__name__)
"""
"""The web application that the tutorial tells to update."""

FLASK = f"""
{IMPORT}

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
    context = {{}}
    context["message"] = app.config.get("message")
    return render_template("index.html", **context)
"""  # noqa: E501 - the page's line

TEMPLATE = """
<!doctype html>
<head>
  <title>Hello Azure App Configuration - Python Flask Example</title>
</head>
<html>
<body>
  <main>
    <div>
      <h1>{{message}}</h1>
    </div>
  </main>
</body>
</html>
"""
