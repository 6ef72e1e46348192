"""The endpoints of a store: their order, replicas from DNS, authentication."""
