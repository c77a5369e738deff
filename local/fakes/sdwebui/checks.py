"""Refuse the invalid values that SD Web UI notices only during the job; it then responds 500."""

from PIL import Image

from local.fakes.sdwebui.encoding import pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.models import Checkpoints
from local.fakes.sdwebui.parameters import NO_REFINER, SAME_CHECKPOINT
from local.fakes.sdwebui.recorded_responses import recorded_response
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)

BYTES_PER_LATENT = 4 * 4  # four channels of 32-bit floats
MAX_LATENTS = 1 << 24  # a gigapixel; the recorded failures to allocate memory were for far more
MAX_INT64 = 1 << 63
MIN_LATENT = 3  # what a 3x3 convolution needs, with a padding of one on each side


def check_request(
    request: Generation, references: list[Image.Image], checkpoints: Checkpoints, *, is_forge: bool
) -> list[Image.Image]:
    """Raise the error of SD Web UI for an invalid value, or return the pixels of the reference images."""
    if request.prompt is None:
        raise Failure("AssertionError")
    if isinstance(request, StableDiffusionProcessingTxt2Img) and request.enable_hr:
        _check_hires(request, checkpoints, is_forge=is_forge)
    refiner = request.refiner_checkpoint
    if refiner not in NO_REFINER and checkpoints.find(refiner) is None:
        raise Failure("Exception", f"Could not find checkpoint with name {request.refiner_checkpoint}")
    _check_seeds(request)
    if (request.batch_size or 0) < 1 or (request.n_iter or 0) < 1:
        raise Failure("IndexError", "list index out of range")
    if not request.steps:
        raise Failure("ZeroDivisionError", "integer division or modulo by zero")
    if request.width is None or request.height is None:
        raise Failure("TypeError", "'NoneType' object cannot be interpreted as an integer")
    if isinstance(request, StableDiffusionProcessingImg2Img):
        references = _check_references(request, references)
    _check_size(request.width, request.height)
    if request.steps < 0:
        raise Failure("RuntimeError", "number of steps must be non-negative")
    return references


def _check_seeds(request: Generation) -> None:
    """Raise Failure for a seed that torch does not accept; the last image has the largest one."""
    last_index = max(0, (request.batch_size or 0) * (request.n_iter or 0) - 1)
    for seed in (request.seed or 0, request.subseed or 0):
        if seed < -MAX_INT64 or seed + last_index >= 2 * MAX_INT64:
            raise Failure("ValueError", "Overflow when unpacking long long")


def _check_hires(
    request: StableDiffusionProcessingTxt2Img, checkpoints: Checkpoints, *, is_forge: bool
) -> None:
    known = {
        one["name"] for route in ("upscalers", "latent-upscale-modes") for one in recorded_response(route)
    }
    if request.hr_upscaler is not None and request.hr_upscaler not in known:
        raise Failure("Exception", f"could not find upscaler named {request.hr_upscaler}")
    sampler = request.hr_sampler_name
    if sampler not in (None, "", *(one["name"] for one in recorded_response("samplers"))):
        raise Failure("AssertionError", f"bad sampler name: {sampler}")
    checkpoint = request.hr_checkpoint_name
    if checkpoint not in SAME_CHECKPOINT and checkpoints.find(checkpoint) is None:
        raise Failure("Exception", f"Could not find checkpoint with name {checkpoint}")
    if is_forge and request.hr_additional_modules is None:
        raise Failure("TypeError", "argument of type 'NoneType' is not iterable")


def _check_references(
    request: StableDiffusionProcessingImg2Img, references: list[Image.Image]
) -> list[Image.Image]:
    if not references:
        raise Failure("IndexError", "Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    images = [pixels(image) for image in references]
    batch_size = request.batch_size or 1
    if len(images) > batch_size:
        text = f"bad number of images passed: {len(images)}; expecting {batch_size} or less"
        raise Failure("RuntimeError", text)
    return images


def _check_size(width: int, height: int) -> None:
    columns, rows = width // 8, height // 8
    if max(abs(columns), abs(rows)) >= MAX_INT64:
        raise Failure(
            "TypeError",
            "randn(): argument 'size' failed to unpack the object at pos 3 with error \"Overflow when "
            'unpacking long long"',
        )
    if columns < 0 or rows < 0:
        raise Failure(
            "RuntimeError", f"Trying to create tensor with negative dimension -1: [4, {rows}, {columns}]"
        )
    if columns + 2 < MIN_LATENT or rows + 2 < MIN_LATENT:
        raise Failure(
            "RuntimeError",
            f"Calculated padded input size per channel: ({rows + 2} x {columns + 2}). Kernel size: (3 x 3). "
            "Kernel size can't be greater than actual input size",
        )
    if columns * rows > MAX_LATENTS:
        size = columns * rows * BYTES_PER_LATENT
        raise Failure(
            "RuntimeError",
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
            f"tried to allocate {size} bytes. Error code 12 (Cannot allocate memory)",
        )
