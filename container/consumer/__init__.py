"""The queue consumer beside SD Web UI."""
