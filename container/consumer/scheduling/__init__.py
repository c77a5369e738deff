"""When the next task is claimed, and which one."""
