"""The jobs of the provider, as plans: start, load, watch, refresh, fail over."""
