"""Bridges to other libraries; each needs an optional dependency of its own."""
