"""ConfigCat's servers, shared caches and local files as one source of the runtime.

`source` gives the runtime the next `state`. Its plans read `overriding` (local settings), `shared`
(the cache of a program) and `download` (the servers: `targets` says which one, `keys` which file).
Nothing here does I/O, reads the environment or tells the time.
"""
