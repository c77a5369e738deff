"""The Lambda that empties the dead-letter queues: bodies to S3, outcomes to rows."""
