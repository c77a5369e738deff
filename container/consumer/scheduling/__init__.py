"""When the next task is taken and which one."""
