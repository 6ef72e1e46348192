"""Listings, and the order of requests that loses no update."""
