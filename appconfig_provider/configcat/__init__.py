"""ConfigCat's feature flags and settings: its config as a second source, with its SDK's names."""
