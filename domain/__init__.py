"""Rules shared by the API and the consumer: tasks, routing, messages and the state of a task."""
