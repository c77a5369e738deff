"""A fake of Stable Diffusion Web UI, with its recorded HTTP behaviour but without a diffusion model.

It draws each image from the request, so that a person can see that the right input arrived. Start it with
`python -m local.fakes.sdwebui`, or from code with `local.fakes.sdwebui.process`.
"""

NAME = "fake"
VERSION = "fake 1.0 (no diffusion model)"
DISCLAIMER = "local.fakes.sdwebui draws pictures from the request; it is no diffusion model"
