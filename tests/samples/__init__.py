"""The samples, the demo and the tutorial's own code, run the way a user runs them."""
