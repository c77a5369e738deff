"""SD Web UI: requests, answers, faults and models."""
