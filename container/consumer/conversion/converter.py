"""Apply a task's output options to the files that an engine returned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from container.consumer.conversion.metadata import STRIPPERS, is_animated
from container.consumer.conversion.process import EncoderProcess, NotConverted
from container.consumer.inputs.images import Sniffed, sniff
from domain.limits import DEFAULT_LIMITS
from domain.output import DEFAULT_QUALITY, OutputOptions

NOT_CONVERTED_WARNING: Final = (
    "stored as the engine returned it: animations, videos and unknown formats are not converted"
)

_CONVERTIBLE_FORMATS: Final = frozenset({"PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"})


@dataclass(frozen=True, slots=True)
class Converted:
    """A file to store, and warnings about how it differs from what the task asked for."""

    data: bytes
    warnings: Sequence[str] = ()


class Converter:
    """Converts files; images are decoded and encoded in a process of their own."""

    def __init__(self, max_pixels: int = DEFAULT_LIMITS.upscaled_pixels) -> None:
        self._encoder = EncoderProcess(max_pixels)

    def apply(self, data: bytes, options: OutputOptions | None) -> Converted:
        """Return a file in the format and with the metadata that its task asks for.

        What cannot be converted is returned as the engine made it, with a warning, so that the GPU's work is
        not lost.
        """
        if options is None:
            return Converted(data)
        image = sniff(data)
        if image is None or image.format not in _CONVERTIBLE_FORMATS or is_animated(data, image.format):
            return Converted(data, [NOT_CONVERTED_WARNING])
        target_format = (options.format or image.format).upper()
        if target_format == image.format and options.quality is None:
            return _keep_format(data, image, options)
        header = {
            "source": image.format,
            "format": target_format.lower(),
            "quality": options.quality or DEFAULT_QUALITY,
            "strip": options.strip,
        }
        try:
            encoded, warnings = self._encoder.convert(data, header)
        except NotConverted as error:
            unconverted = _keep_format(data, image, options)
            return Converted(unconverted.data, [f"stored as {image.format}: {error}", *unconverted.warnings])
        return Converted(encoded, warnings)


def _keep_format(data: bytes, image: Sniffed, options: OutputOptions) -> Converted:
    if not options.strip:
        return Converted(data)
    strip = STRIPPERS.get(image.format)
    if strip is None:
        return Converted(data, [f"its metadata were not removed, which is not possible for {image.format}"])
    return Converted(strip(data))
