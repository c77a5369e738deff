"""The compute stack: GPU tasks on ECS."""
