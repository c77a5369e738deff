"""The inference servers (engines) that a worker can drive."""
