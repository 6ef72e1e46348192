"""The samples and the demo, run the way a user runs them."""
