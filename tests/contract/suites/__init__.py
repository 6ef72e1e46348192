"""The official Python clients' own tests, run against the emulator."""
