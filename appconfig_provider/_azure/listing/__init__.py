"""Listings, and an order of requests in which no update is lost."""
