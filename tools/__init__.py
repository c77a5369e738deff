"""Tools that an operator runs against a deployment."""
