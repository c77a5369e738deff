"""Read the numbers of a task's content, with SD Web UI's defaults for missing ones."""

from typing import Any, Final

SIDE_BY_DEFAULT: Final = 512
STEPS_BY_DEFAULT: Final = 50
"""The default of the API's request models; that of the page is 20."""

HR_SCALE_BY_DEFAULT: Final = 2.0
RESIZE_BY_DEFAULT: Final = 2.0
_BEYOND: Final = 1 << 70
"""A value beyond every seed that still fits into a float."""


class Numbers:
    """Reads numbers of a task's content that `runtimes.sdwebui.scalars` has typed; anything else is None."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def __call__(self, name: str) -> float | None:
        """Return the number in a field."""
        return number(self._content.get(name))

    @property
    def size(self) -> tuple[float, float]:
        """Return width and height of the first pass."""
        return self("width") or SIDE_BY_DEFAULT, self("height") or SIDE_BY_DEFAULT

    @property
    def images(self) -> float:
        """Return how many images are requested, without those added by scripts."""
        return (self("batch_size") or 1) * (self("n_iter") or 1)

    @property
    def hires_scale(self) -> float:
        """Return the factor for both sides in hires fix, 0 without it.

        With a target size, both sides are scaled alike until the smaller one fits; the surplus is cut off
        afterwards.
        """
        if not self._content.get("enable_hr"):
            return 0
        width, height = self.size
        sides = max((self("hr_resize_x") or 0) / width, (self("hr_resize_y") or 0) / height)
        scale = self("hr_scale")
        return sides or (HR_SCALE_BY_DEFAULT if scale is None else scale)


def number(value: Any) -> float | None:
    """Return a number that can be used in calculations, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Seeds exceed the precision of a float, and integers of any length exceed its range.
    return max(-_BEYOND, min(_BEYOND, value)) if isinstance(value, int) else value
