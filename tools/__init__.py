"""What an operator runs against a deployment."""
