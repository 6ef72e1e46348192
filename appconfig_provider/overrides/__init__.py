"""Overrides: keys of a program's own, beside or instead of those of a store.

`declared` has what the program writes, `values` copies and checks what it gave, `files` and
`environment` read it from text, and `layers` merges the layers and tells which one counts. None of
them does I/O: `reading` is a plan that has files read. Nothing here knows which source the keys are
merged with. Programs without overrides import `layers` alone.
"""
