"""App Configuration as a source."""
