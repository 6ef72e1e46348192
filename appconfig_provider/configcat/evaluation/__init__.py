"""ConfigCat's rules: what a config's text says, and what a setting's value is for a user.

Everything here is pure: no I/O, no clock, no logging. What is to be logged is returned.
"""
