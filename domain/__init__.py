"""What the API and the consumer agree on: the task, its routing, its messages, its state."""
