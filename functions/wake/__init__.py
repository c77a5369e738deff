"""The Lambda that starts a runtime's service from zero when a task waits."""
