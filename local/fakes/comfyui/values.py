"""What nodes of the fake pass to each other, each with the facts that determine it."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from local.fakes.drawing import Scene

Facts = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A diffusion model: its file's name, the digest of its content, and the LoRAs that were applied."""

    name: str
    digest: str
    patches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A text encoder, None if its checkpoint has none."""

    name: str
    patches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vae:
    """A VAE."""

    name: str


@dataclass(frozen=True)
class NamedModel:
    """A ControlNet, an upscaler, or any other model that only has a name."""

    name: str


@dataclass(frozen=True)
class Picture:
    """One image and the facts that are written into it, if it was generated."""

    image: Image.Image
    facts: Facts = field(default_factory=dict)


Pictures = tuple[Picture, ...]


@dataclass(frozen=True)
class Sound:
    """A sound: only the facts about it."""

    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Control:
    """A ControlNet with its image and strength."""

    name: str
    strength: float
    image: Picture


@dataclass(frozen=True)
class Conditioning:
    """A text with its encoder and the ControlNets that were applied."""

    text: str
    clip: Clip
    controls: tuple[Control, ...] = ()
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sampled:
    """One latent that was sampled: how to paint it, and its facts."""

    scene: Scene
    facts: Facts


@dataclass(frozen=True)
class Latent:
    """A batch of latents: empty, or encoded from pictures, or the result of a sampler."""

    width: int
    height: int
    batch: int
    pictures: Pictures = ()
    mask: Image.Image | None = None
    sampled: tuple[Sampled, ...] = ()
