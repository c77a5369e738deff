"""Where the workers of a runtime log."""


def worker_log_group_name(stack_name: str, runtime: str) -> str:
    """Return a name that the core stack's dashboard can link to before the compute stack is there."""
    return f"/sd-on-ecs/{stack_name}/{runtime}"
