"""`python -m appconfig_provider.cli` is the `appconfig` command."""

from appconfig_provider.cli import main

main()
