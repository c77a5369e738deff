"""Apply a task's output options to the files that an engine returned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from container.consumer.conversion.metadata import STRIPPERS, is_animated
from container.consumer.conversion.process import EncoderProcess, NotConverted
from container.consumer.inputs.images import Sniffed, sniff
from domain.limits import DEFAULT_LIMITS
from domain.output import DEFAULT_QUALITY, OutputOptions

NOT_CONVERTED_KINDS: Final = (
    "stored as the engine returned it: animations, videos and unknown formats are not converted"
)

_STILL: Final = frozenset({"PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"})


@dataclass(frozen=True, slots=True)
class Converted:
    """A file to store, and how it differs from what was asked for."""

    data: bytes
    warnings: Sequence[str] = ()


class Converter:
    """Converts files; images are decoded and encoded in a process of their own."""

    def __init__(self, max_pixels: int = DEFAULT_LIMITS.upscaled_pixels) -> None:
        self._encoder = EncoderProcess(max_pixels)

    def apply(self, data: bytes, options: OutputOptions | None) -> Converted:
        """Return a file as its task wants it.

        What cannot be converted is returned as the engine made it, with a warning: the work of a GPU is not
        thrown away because of it.
        """
        if options is None:
            return Converted(data)
        found = sniff(data)
        if found is None or found.format not in _STILL or is_animated(data, found.format):
            return Converted(data, [NOT_CONVERTED_KINDS])
        wanted = (options.format or found.format).upper()
        if wanted == found.format and options.quality is None:
            return _in_same_format(data, found, options)
        header = {
            "source": found.format,
            "format": wanted.lower(),
            "quality": options.quality or DEFAULT_QUALITY,
            "strip": options.strip,
        }
        try:
            encoded, notes = self._encoder.convert(data, header)
        except NotConverted as error:
            kept = _in_same_format(data, found, options)
            return Converted(kept.data, [f"stored as {found.format}: {error}", *kept.warnings])
        return Converted(encoded, notes)


def _in_same_format(data: bytes, found: Sniffed, options: OutputOptions) -> Converted:
    if not options.strip:
        return Converted(data)
    stripped = STRIPPERS.get(found.format)
    if stripped is None:
        return Converted(data, [f"its metadata were not removed, which is not possible for {found.format}"])
    return Converted(stripped(data))
