"""What a client's arguments come to: its source, and how servers are reached.

The environment is read here, once, when a client is made.
"""
