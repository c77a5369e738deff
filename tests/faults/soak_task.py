"""The tasks of the soak test, and the check that their images show what they ask for and nothing else."""

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
class SoakTask:
    """One task. No other task has its text, its seed or, if it is large, its input."""

    number: int
    runtime: str
    images: int = 1
    is_large: bool = False
    webhook: str | None = None

    @property
    def id(self) -> str:
        """Return the task's id, which is also the text that it asks for."""
        return f"task-{self.number}"

    @property
    def seed(self) -> int:
        """Return the random seed that the first image is drawn from."""
        return (self.number + 1) * SEED_DISTANCE

    def body(self) -> dict[str, Any]:
        """Return the body of the request."""
        tasktype, content = (
            self._comfyui_content() if self.runtime == COMFYUI_RUNTIME else self._webui_content()
        )
        details: dict[str, Any] = {"context": {"of": self.id}, "runtime": self.runtime}
        if self.webhook:
            details["webhook"] = self.webhook
        return bodies.v1alpha2(self.id, tasktype, content, **details)

    def check_images(self, images: list[bytes]) -> str | None:
        """Assert that images show this task; return the digest of their input, if they have one."""
        if self.runtime != COMFYUI_RUNTIME:
            texts = [str(Image.open(io.BytesIO(image)).info["parameters"]) for image in images]
            assert {text.partition("\n")[0] for text in texts} == {self.id}, self
            seeds = [int(match[1]) for text in texts if (match := _SEED.search(text))]
            assert seeds == [self.seed + index for index in range(self.images)], self
            return None
        image_facts = [recipe.read(Image.open(io.BytesIO(image))) or {} for image in images]
        assert [(facts.get("prompt"), facts.get("seed")) for facts in image_facts] == [
            (self.id, self.seed) for _ in images
        ], self
        assert [facts["batch_index"] for facts in image_facts] == list(range(self.images)), self
        references = {str(facts["reference"]) for facts in image_facts if facts["reference"]}
        assert len(references) == self.is_large, self
        return next(iter(references), None)

    def _webui_content(self) -> tuple[str, dict[str, Any]]:
        fields: dict[str, Any] = {
            "prompt": self.id,
            "seed": self.seed,
            "steps": STEPS,
            "batch_size": self.images,
        }
        if self.is_large:
            return "image-to-image", bodies.image_to_image(self._encoded_input(), **fields)
        return "text-to-image", bodies.text_to_image(**fields)

    def _comfyui_content(self) -> tuple[str, dict[str, Any]]:
        if self.is_large:
            workflow = image_to_image("input.png", seed=self.seed, text=self.id, steps=STEPS)
            return "pipeline", {"prompt": workflow, "files": {"input.png": self._encoded_input()}}
        workflow = text_to_image(seed=self.seed, text=self.id, steps=STEPS)
        workflow["5"]["inputs"]["batch_size"] = self.images
        return "pipeline", {"prompt": workflow}

    def _encoded_input(self) -> str:
        return bodies.to_base64(bodies.noise_png(LARGE_BYTES))
