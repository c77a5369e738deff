"""Rules for the content of SD Web UI's tasks."""
