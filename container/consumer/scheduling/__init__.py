"""When the next task is claimed, and the loop that runs it."""
