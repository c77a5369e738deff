"""What runs in the ECS task."""
