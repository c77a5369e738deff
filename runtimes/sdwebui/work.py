"""How much sampling one task asks of a GPU."""

from typing import Any

from domain.task import TaskType
from runtimes.sdwebui.numbers import STEPS_BY_DEFAULT, Numbers
from runtimes.sdwebui.script_sizes import sampled_by_scripts, times_by_script


def work(tasktype: TaskType, content: dict[str, Any]) -> float:
    """Return steps × pixels × images of a normalised content, hires fix and known scripts included.

    An extra task samples nothing: 0.
    """
    if not tasktype.generates:
        return 0
    number = Numbers(content)
    width, height = number.size
    steps = number("steps") or STEPS_BY_DEFAULT
    each = steps * width * height
    if scale := number.hires_scale:
        each += (number("hr_second_pass_steps") or steps) * width * height * scale * scale
    each += sampled_by_scripts(content, steps=steps, width=width, height=height)
    return each * number.images * times_by_script(content)
