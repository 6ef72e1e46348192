"""From stored settings to values: pure functions, no I/O, no state."""
