"""Models: from Web UI's memory, else from the volume, else from the model bucket."""
