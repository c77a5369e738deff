"""A runtime type of about sixty lines that shows what a further type needs."""
