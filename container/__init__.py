"""Code that runs in the ECS task."""
