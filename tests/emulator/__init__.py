"""The emulator, asked over raw HTTP and part by part."""
