"""The endpoints of a store: who is asked, and how it lets us in."""
