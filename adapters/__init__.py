"""AWS calls that the Lambdas and the consumer share: the table, the topics, the stored objects."""
