"""The Lambda that drains the dead-letter queues: it archives messages in S3 and fails their tasks."""
