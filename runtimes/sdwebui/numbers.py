"""A content's numbers, with what SD Web UI takes where there is none."""

from typing import Any, Final

SIDE_BY_DEFAULT: Final = 512
STEPS_BY_DEFAULT: Final = 50
"""Of the API's request models; the page begins at 20."""

HR_SCALE_BY_DEFAULT: Final = 2.0
RESIZE_BY_DEFAULT: Final = 2.0
_BEYOND: Final = 1 << 70
"""Further from zero than any seed; as a float it can be counted with."""


class Numbers:
    """Read numbers of a content that `runtimes.sdwebui.scalars` has read; None for anything else."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def __call__(self, name: str) -> float | None:
        """Return the number of a field."""
        return number(self._content.get(name))

    @property
    def size(self) -> tuple[float, float]:
        """Return width and height of the first pass."""
        return self("width") or SIDE_BY_DEFAULT, self("height") or SIDE_BY_DEFAULT

    @property
    def images(self) -> float:
        """Return how many images are asked for, without what a script makes of them."""
        return (self("batch_size") or 1) * (self("n_iter") or 1)

    @property
    def hires_scale(self) -> float:
        """Return the scale of both sides in hires fix, 0 without it.

        With a size of its own, both sides are scaled alike until the smaller fits; what is too much is cut
        off afterwards.
        """
        if not self._content.get("enable_hr"):
            return 0
        width, height = self.size
        sides = max((self("hr_resize_x") or 0) / width, (self("hr_resize_y") or 0) / height)
        scale = self("hr_scale")
        return sides or (HR_SCALE_BY_DEFAULT if scale is None else scale)


def number(value: Any) -> float | None:
    """Return a number that can be counted with, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Seeds are beyond what a float tells apart, and an integer of any length is beyond every float.
    return max(-_BEYOND, min(_BEYOND, value)) if isinstance(value, int) else value
