"""What the tasks of the soak ask for, and whether their images show it and nothing of another task."""

import io
import re
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from local.fakes.comfyui import recipe
from tests.support import bodies
from tests.support.comfyui import image_to_image, text_to_image

COMFYUI_RUNTIME: Final = "comfyruntime"
LARGE_BYTES: Final = 60_000
"""Content of this size travels by S3, beside the message."""

STEPS: Final = 4
SEED_DISTANCE: Final = 100
"""SD Web UI gives the images of a batch consecutive seeds."""

_SEED: Final = re.compile(r"\bSeed: (\d+)")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One task; its text and its seed are its own, and so is its input if it is large."""

    number: int
    runtime: str
    images: int = 1
    large: bool = False
    webhook: str | None = None

    @property
    def id(self) -> str:
        """Return the task's id, which is also the text that it asks for."""
        return f"task-{self.number}"

    @property
    def seed(self) -> int:
        """Return the seed of the first image."""
        return (self.number + 1) * SEED_DISTANCE

    def body(self) -> dict[str, Any]:
        """Return the request."""
        tasktype, content = self._workflow() if self.runtime == COMFYUI_RUNTIME else self._generation()
        details: dict[str, Any] = {"context": {"of": self.id}, "runtime": self.runtime}
        if self.webhook:
            details["webhook"] = self.webhook
        return bodies.v1alpha2(self.id, tasktype, content, **details)

    def reference(self, images: list[bytes]) -> str | None:
        """Assert that images show this task; return their input, which no other task may share."""
        if self.runtime != COMFYUI_RUNTIME:
            texts = [str(Image.open(io.BytesIO(image)).info["parameters"]) for image in images]
            assert {text.partition("\n")[0] for text in texts} == {self.id}, self
            seeds = [int(found[1]) for text in texts if (found := _SEED.search(text))]
            assert seeds == [self.seed + place for place in range(self.images)], self
            return None
        facts = [recipe.read(Image.open(io.BytesIO(image))) or {} for image in images]
        assert [(one.get("prompt"), one.get("seed")) for one in facts] == [
            (self.id, self.seed) for _ in images
        ], self
        assert [one["batch_index"] for one in facts] == list(range(self.images)), self
        references = {str(one["reference"]) for one in facts if one["reference"]}
        assert len(references) == self.large, self
        return next(iter(references), None)

    def _generation(self) -> tuple[str, dict[str, Any]]:
        wanted: dict[str, Any] = {
            "prompt": self.id,
            "seed": self.seed,
            "steps": STEPS,
            "batch_size": self.images,
        }
        if self.large:
            return "image-to-image", bodies.image_to_image(self._input(), **wanted)
        return "text-to-image", bodies.text_to_image(**wanted)

    def _workflow(self) -> tuple[str, dict[str, Any]]:
        if self.large:
            flow = image_to_image("input.png", seed=self.seed, text=self.id, steps=STEPS)
            return "pipeline", {"prompt": flow, "files": {"input.png": self._input()}}
        flow = text_to_image(seed=self.seed, text=self.id, steps=STEPS)
        flow["5"]["inputs"]["batch_size"] = self.images
        return "pipeline", {"prompt": flow}

    def _input(self) -> str:
        return bodies.to_base64(bodies.noise_png(LARGE_BYTES))
