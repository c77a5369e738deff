"""Rules for the content of tasks, by runtime type: pure functions without I/O."""
