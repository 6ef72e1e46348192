"""The runtime, with a source that is not App Configuration."""
