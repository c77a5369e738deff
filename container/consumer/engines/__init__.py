"""The inference servers that a worker can drive."""
