"""The engine of runtimes with ComfyUI."""
