"""The official clients against the emulator."""
