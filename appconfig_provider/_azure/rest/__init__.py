"""The wire of the service, without a socket."""
