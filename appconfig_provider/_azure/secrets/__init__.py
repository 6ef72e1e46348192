"""Key Vault references: what is read, when, and what becomes of failures."""
