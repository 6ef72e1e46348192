"""Our provider beside the official one: the same store, the same options, the same content."""
