"""How a task wants its images stored: their format, and whether they keep their metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault

FORMATS: Final = ("png", "jpeg", "webp")
LOSSY_FORMATS: Final = ("jpeg", "webp")
METADATA: Final = ("keep", "strip")
MAX_QUALITY: Final = 100
DEFAULT_QUALITY: Final = 80
"""What engines use by default when they write JPEG or WebP themselves."""

_FIELDS: Final = ("format", "quality", "metadata")


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The options of a task's images; with the defaults, images are stored as the engine returned them."""

    format: str | None = None
    """One of `FORMATS`; None keeps the format of each image."""
    quality: int | None = None
    """From 1 to 100, for a lossy format; None is `DEFAULT_QUALITY`, and leaves an image of the format as it
    is."""
    strip: bool = False
    """Whether metadata (prompt, seed, workflow) are removed from the images."""

    def as_dict(self) -> dict[str, Any]:
        """Return the options as a request writes them; equal options give equal values."""
        found = {"format": self.format, "quality": self.quality, "metadata": "strip" if self.strip else None}
        return {name: value for name, value in found.items() if value is not None}


def check_output(value: Any, path: str) -> tuple[OutputOptions | None, list[Fault]]:
    """Return the options in a request, None if they change nothing, and the faults in them."""
    if value is None:
        return None, []
    if not isinstance(value, Mapping):
        expected = 'an object is expected, such as {"format": "jpeg", "quality": 80, "metadata": "strip"}'
        return None, [Fault(path, expected)]
    faults = [
        Fault(f"{path}/{pointer(key)}", f"unknown field; the known fields are {', '.join(_FIELDS)}")
        for key in value
        if key not in _FIELDS
    ]
    format_, quality, metadata = (value.get(name) for name in _FIELDS)
    if format_ is not None and format_ not in FORMATS:
        faults.append(Fault(f"{path}/format", f"one of {', '.join(FORMATS)} is expected"))
    elif quality is not None and format_ not in LOSSY_FORMATS:
        text = (
            f"only {' and '.join(LOSSY_FORMATS)} have a quality: name one of them as format, or leave it out"
        )
        faults.append(Fault(f"{path}/quality", text))
    if quality is not None and not (type(quality) is int and 1 <= quality <= MAX_QUALITY):
        faults.append(Fault(f"{path}/quality", f"a whole number from 1 to {MAX_QUALITY} is expected"))
    if metadata is not None and metadata not in METADATA:
        faults.append(Fault(f"{path}/metadata", f"one of {', '.join(METADATA)} is expected"))
    if faults:
        return None, faults
    options = OutputOptions(format_, quality, strip=metadata == "strip")
    return (None if options == OutputOptions() else options), []
