"""What the official provider gets wrong, one test per behaviour (`reference/providers.md`)."""
