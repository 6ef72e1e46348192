"""The official JavaScript packages, driven from Python."""
