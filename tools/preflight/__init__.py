"""Checks of an account before a deployment: `python -m tools.preflight`."""
