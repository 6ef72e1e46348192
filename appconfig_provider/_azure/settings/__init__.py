"""From stored settings to values; pure."""
