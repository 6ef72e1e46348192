"""From settings of the store to values; without any I/O."""
