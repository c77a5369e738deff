"""Report values that undo the work of a task, or that SD Web UI does not use without another field."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.errors import Fault
from runtimes.sdwebui.mention import NO_UPSCALER
from runtimes.sdwebui.task_type import TaskType

_SIZES: Final = ("upscaling_resize_w", "upscaling_resize_h")
_DEFAULT_SIDE: Final = 512
_NOISE: Final = "initial_noise_multiplier"
_NO_NOISE: Final = "0 removes all noise, so that the image is only blurred; leave it out for SD Web UI's own"
_HIRES_FIELDS: Final = ("hr_scale", "hr_upscaler", "hr_resize_x", "hr_resize_y", "hr_second_pass_steps")


def ineffective_values(tasktype: TaskType, content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a warning for each value that will not do what its field is for."""
    match tasktype:
        case TaskType.TEXT_TO_IMAGE:
            yield from _unused_refiner(content)
            yield from _unused_hires_fields(content)
        case TaskType.IMAGE_TO_IMAGE:
            yield from _unused_refiner(content)
            yield from _ineffective_image_values(content)
        case TaskType.EXTRA_SINGLE_IMAGE | TaskType.EXTRA_BATCH_IMAGES:
            yield from _unused_extras_size(content)
            yield from _ineffective_extras(content)


def _unused_refiner(content: Mapping[str, Any]) -> Iterator[Fault]:
    switch_at: Any = content.get("refiner_switch_at")
    if content.get("refiner_checkpoint") and _is_number(switch_at) and switch_at >= 1:
        yield Fault("/refiner_switch_at", "the refiner is never used: it would begin after the last step")


def _unused_hires_fields(content: Mapping[str, Any]) -> Iterator[Fault]:
    if "enable_hr" in content:
        return
    for name in _HIRES_FIELDS:
        if content.get(name):
            yield Fault(f"/{name}", "without effect: hires fix is off; did you forget enable_hr?")


def _ineffective_image_values(content: Mapping[str, Any]) -> Iterator[Fault]:
    settings = content.get("override_settings")
    if _is_zero(content.get(_NOISE)):
        yield Fault(f"/{_NOISE}", _NO_NOISE)
    elif isinstance(settings, Mapping) and _is_zero(settings.get(_NOISE)):
        yield Fault(f"/override_settings/{_NOISE}", _NO_NOISE)
    if _is_zero(content.get("denoising_strength")):
        yield Fault("/denoising_strength", "0 changes nothing: the image comes back as it is")
    if content.get("resize_mode") is not None and not (content.get("width") and content.get("height")):
        text = f"without width and height, SD Web UI makes {_DEFAULT_SIDE} x {_DEFAULT_SIDE} pixels"
        yield Fault("/resize_mode", text)


def _unused_extras_size(content: Mapping[str, Any]) -> Iterator[Fault]:
    if content.get("resize_mode") == 1:
        missing = [name for name in _SIZES if not content.get(name)]
        if missing:
            yield Fault("/resize_mode", f"without {' and '.join(missing)}, SD Web UI uses {_DEFAULT_SIDE}")
        return
    for name in _SIZES:
        if content.get(name) not in (None, 0, _DEFAULT_SIDE):  # the default, in copies of SD Web UI's example
            yield Fault(f"/{name}", "without effect: resize_mode is not 1")


def _ineffective_extras(content: Mapping[str, Any]) -> Iterator[Fault]:
    second = _names_upscaler(content.get("upscaler_2"))
    if second and not content.get("extras_upscaler_2_visibility"):
        yield Fault("/upscaler_2", "without effect: extras_upscaler_2_visibility is 0")
    restored = content.get("gfpgan_visibility") or content.get("codeformer_visibility")
    if not (restored or second or _names_upscaler(content.get("upscaler_1"))):
        text = "the image comes back as it is: name upscaler_1, or set the visibility of a face restorer"
        yield Fault("/upscaler_1", text)


def _names_upscaler(value: Any) -> bool:
    return isinstance(value, str) and value.lower() not in {name.lower() for name in NO_UPSCALER}


def _is_zero(value: Any) -> bool:
    return _is_number(value) and value == 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
