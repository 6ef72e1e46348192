"""The `appconfig` command, in this process and in its own."""
