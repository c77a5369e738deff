"""A fake for Stable Diffusion Web UI: its HTTP behaviour as recorded, and no diffusion model.

Images are drawn from the request, so that a person sees that the right input arrived. Start it with
`python -m local.fakes.sdwebui --help`, or from code with `local.fakes.sdwebui.process`.
"""

NAME = "fake"
VERSION = "fake 1.0 (no diffusion model)"
DISCLAIMER = "local.fakes.sdwebui draws pictures from the request; it is no diffusion model"
