"""The rules for tasks of ComfyUI."""
