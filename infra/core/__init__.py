"""The core stack: API, topics, queues, state and buckets."""
