"""A document kept fresh: when, by whom, and who is told."""
