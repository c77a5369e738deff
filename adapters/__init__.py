"""The AWS calls that both sides make: the table, the topics, the stored objects."""
