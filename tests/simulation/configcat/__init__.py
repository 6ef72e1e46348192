"""ConfigCat's clients in the simulator: the same world, network, driver and seeds.

`scenario` says what kind of clients there are, `servers` what their network leads to, `publishers`
who changes that. A `Life` is one client in its process: the real asynchronous client on the
simulator's driver, with what it owes and what `laws` say of its refreshes and reads. The runtime
makes tasks of its own here, so the world has an event loop (`loop`).
"""
