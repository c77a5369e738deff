"""A fake of ComfyUI, with its recorded HTTP and websocket behaviour but without a diffusion model.

It draws each image from the workflow, so that a person can see that the right input arrived. Start it with
`python -m local.fakes.comfyui`, or from code with `local.fakes.comfyui.process`.
"""

NAME = "fake"
VERSION = "fake 1.0 (no diffusion model)"
DISCLAIMER = "local.fakes.comfyui draws pictures from the workflow; it is no diffusion model"
