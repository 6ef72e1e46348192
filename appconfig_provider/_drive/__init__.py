"""The only I/O: drivers perform the effects that plans ask for."""
