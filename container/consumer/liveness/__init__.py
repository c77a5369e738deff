"""Leases, shutdown and scale-in protection."""
