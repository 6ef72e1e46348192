"""The version that a program finds where ConfigCat's SDK has its own."""

from __future__ import annotations

from appconfig_provider._version import __version__

CONFIGCATCLIENT_VERSION = __version__
"""The version of this package, which is also what servers are told."""
