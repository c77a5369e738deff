"""Start the service of a runtime that sleeps while a task waits."""
