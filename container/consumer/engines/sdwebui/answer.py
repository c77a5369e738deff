"""What SD Web UI answered: images, and what is said of each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from domain.errors import ErrorCode, RetryableError


@dataclass(slots=True)
class Image:
    """Hold one image as it came: base64, and what `info` says of it."""

    encoded: str
    number: int | None
    """From 1; None for the grid that Web UI put first."""
    seed: int | None = None
    infotext: str | None = None


@dataclass(slots=True)
class Answer:
    """Hold an answer without its images (`kept`), the parsed `info`, and the images, given out once each."""

    kept: dict[str, Any]
    info: dict[str, Any]
    _images: list[Image] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return the number of images that are not a grid."""
        return sum(image.number is not None for image in self._images)

    @property
    def model(self) -> str | None:
        """Return the checkpoint that was really used; only `info` tells."""
        name = self.info.get("sd_model_name")
        return name if isinstance(name, str) else None

    def take_images(self) -> Iterator[Image]:
        """Give out each image and forget it: a large batch is held once, not twice."""
        while self._images:
            yield self._images.pop(0)


def read_answer(body: bytes) -> Answer:
    """Read an answer of any of the four routes; raise RetryableError when it was cut off on the way."""
    try:
        answer = json.loads(body)
    except ValueError:
        message = "SD Web UI's answer broke off."
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message) from None
    if not isinstance(answer, dict):
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "SD Web UI's answer is no object.")
    encoded = answer.pop("images", None) or []
    single = answer.pop("image", None)
    if single:
        encoded = [single, *encoded]
    info = _info(answer.get("info"))
    return Answer(kept=answer, info=info, _images=list(_images(encoded, info)))


def _info(text: Any) -> dict[str, Any]:
    try:
        info = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        info = None
    return info if isinstance(info, dict) else {}


def _images(encoded: list[str], info: dict[str, Any]) -> Iterator[Image]:
    # A grid comes first, has no seed of its own, and shifts the infotexts by one (11-*-save_images).
    seeds = info.get("all_seeds") or []
    texts = info.get("infotexts") or []
    first = info.get("index_of_first_image") or 0
    for index, text in enumerate(encoded):
        own = index - first
        yield Image(
            encoded=text,
            number=own + 1 if own >= 0 else None,
            seed=seeds[own] if 0 <= own < len(seeds) else None,
            infotext=texts[index] if index < len(texts) else None,
        )
