"""SD Web UI as the consumer meets it: its API, its faults, its answers."""
