"""What the deployment needs of each runtime type: its runtimes' settings and its engine's container."""
