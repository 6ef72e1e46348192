"""The requests and answers of the service, without any I/O."""
