"""The runtime that keeps a document fresh: timers, single flight, polling, callbacks, status."""
