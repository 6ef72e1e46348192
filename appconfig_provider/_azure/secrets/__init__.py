"""Key Vault references: which secrets are read when, and what happens when one fails."""
