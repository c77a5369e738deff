"""The engine SD Web UI: requests, responses, errors and models."""
