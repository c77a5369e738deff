"""Workflows for the tests of ComfyUI's rules."""

import base64
from typing import Any

from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime
from runtimes.base import Checked
from runtimes.comfyui.runtime_type import ComfyUi

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 64).decode()
DYNAMIC = Runtime("comfy", "comfyui", dynamic_model=True)
STATIC = Runtime("comfy", "comfyui", model_filename="cats.safetensors")
LINK = "https://example.com/cat.png"


def text_to_image() -> dict[str, Any]:
    """Return a workflow of core nodes that draws one image."""
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 7,
                "steps": 20,
                "cfg": 7,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "cats.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat, f/1.8", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {
            "class_type": "SaveImage",
            "inputs": {"images": ["8", 0], "filename_prefix": "cat"},
            "_meta": {"title": "Save"},
        },
    }


def image_to_image(image: str = LINK) -> dict[str, Any]:
    """Return a workflow that draws over an image."""
    workflow = text_to_image()
    workflow["1"] = {"class_type": "LoadImage", "inputs": {"image": image}}
    workflow["5"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["1", 0], "vae": ["4", 2]}}
    return workflow


def with_input(node: str, name: str, value: Any) -> dict[str, Any]:
    """Return the workflow of `text_to_image` with another value in one input."""
    workflow = text_to_image()
    workflow[node]["inputs"][name] = value
    return workflow


def checked(content: Any, runtime: Runtime = DYNAMIC, limits: Limits = DEFAULT_LIMITS) -> Checked:
    """Return what the rules say about a request's content."""
    return ComfyUi().validate("pipeline", content, runtime, limits)


def faults(content: Any, runtime: Runtime = DYNAMIC, limits: Limits = DEFAULT_LIMITS) -> dict[str, str]:
    """Return the faults of a request's content by path."""
    return {fault.path: fault.message for fault in checked(content, runtime, limits).faults}
