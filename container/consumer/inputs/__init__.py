"""Download the images that a task links to, without giving callers access to the worker's network."""
