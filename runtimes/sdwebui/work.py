"""Compute how much sampling one task needs."""

from typing import Any, Final

from runtimes.sdwebui.numbers import STEPS_BY_DEFAULT, Numbers
from runtimes.sdwebui.script_sizes import script_repetitions, script_sampling_work
from runtimes.sdwebui.task_type import TaskType

_OWN_STEPS: Final = frozenset({"dpm adaptive", "k_dpm_ad"})
"""Samplers that choose the number of steps themselves, whatever number is requested."""

_OWN_STEPS_BY_DEFAULT: Final = 50


def sampling_work(tasktype: TaskType, content: dict[str, Any]) -> float:
    """Return steps × pixels × images of normalized content, including hires fix and known scripts.

    The work of an extras task is 0, because it samples nothing.
    """
    if not tasktype.generates:
        return 0
    number = Numbers(content)
    width, height = number.size
    steps = number("steps") or STEPS_BY_DEFAULT
    if str(content.get("sampler_name") or content.get("sampler_index")).lower() in _OWN_STEPS:
        steps = max(steps, _OWN_STEPS_BY_DEFAULT)
    each = steps * width * height
    if scale := number.hires_scale:
        each += (number("hr_second_pass_steps") or steps) * width * height * scale * scale
    each += script_sampling_work(content, steps=steps, width=width, height=height)
    return each * number.images * script_repetitions(content)
