"""Keeping the text of a source between runs, so that a program can start while its store is down.

What is kept here knows no service: a text, when it was loaded, and when it was last confirmed.
"""
