"""The only I/O: what performs effects, with threads and with asyncio."""
