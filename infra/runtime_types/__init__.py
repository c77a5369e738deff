"""The runtime types as the deployment sees them: their settings and the container of their engine."""
