"""Replay the recorded jobs of a real SD Web UI with the fake, and keep its responses."""

import base64
import hashlib
import io
import json
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.controlnet import short_hash
from local.fakes.sdwebui.models import digest
from local.fakes.sdwebui.networks import LORA_DIR
from tests.contract.replay import Make, Replay, quick_settings, replaying
from tests.support.recordings import jobs

ROTATED_BYTES = 1280  # the one recorded JPEG whose EXIF says that it lies on its side
ORIENTATION, ON_ITS_SIDE = 0x0112, 6
# The models of the recorded servers, with the beginnings of their hashes.
CHECKPOINT_HASHES = {"v1-5-pruned-emaonly": "deca4e7b6a", "second-random": "4fb2370fd9"}
CONTROLNET_HASHES = {"control_v11p_sd15_canny": "3cfa3311"}
VAE_HASHES = {"random-vae": "3242b75026", "bucket-vae": "6912db98e8"}
LORA_HASHES = {
    "forge": {"random-style": "93a4cc0ff3aa", "bucket-lora": "ea49b9b5d8cb"},
    "a1111": {"random-style": "e8c2441d1973", "bucket-lora": "c7820096e987"},
}
# By flavor and run: a server was recorded twice, the second time with more extensions and models.
EXTENSIONS = {
    ("forge", 1): (),
    ("forge", 2): ("adetailer", "ultimate sd upscale"),
    ("a1111", 1): (),
    ("a1111", 2): (),
}
OVERRIDDEN_SETTINGS = (
    "sd_vae",
    "forge_additional_modules",
    "CLIP_stop_at_last_layers",
    "return_mask",
    "return_mask_composite",
)
ALIAS = "styleAlias"  # of both LoRAs, so that it is forbidden once both are there


@dataclass
class ReplayedJob:
    """A recorded job and the fake's response to it."""

    line: dict[str, Any]
    status: int
    answer: dict[str, Any]
    hash_pairs: list[tuple[str, str]]

    @property
    def name(self) -> str:
        """Return the name of the recording."""
        return str(self.line["name"])

    def to_recorded(self, text: str) -> str:
        """Replace the fake's hashes of models by the recorded ones."""
        for recorded, own in self.hash_pairs:
            text = text.replace(own, recorded)
        return text

    @cached_property
    def pictures(self) -> list[tuple[str, str, str]]:
        """Return place, recorded hash and the fake's hash of each image in the request and the response."""
        pairs = []
        for description in descriptions_in(self.line["request"]):
            image_base64 = base64.b64encode(image_for(description)).decode()
            pairs.append((f"{self.name}/request", description["pixels_sha256"], pixel_hash(image_base64)))
        recorded, replayed_images = images_in(self.line["answer"]), images_in(self.answer)
        if self.status == self.line["status"]:
            images = zip(recorded, replayed_images, strict=False)
            for place, (description, image) in enumerate(images):
                pairs.append(
                    (f"{self.name}/{place}", description["$image"]["pixels_sha256"], pixel_hash(image))
                )
        return pairs


@dataclass
class JobReplay:
    """Replays the jobs of one run with a fake in the state of the recorded server.

    `hash_pairs` are hashes of models: the recorded one, and that of the fake's model of the same name.
    """

    replay: Replay
    folder: Path
    flavor: str
    hash_pairs: list[tuple[str, str]] = field(default_factory=list)

    def send(self, line: dict[str, Any]) -> ReplayedJob:
        """Send the request of a job with the seeds that the real server drew."""
        request = json.loads(self._to_own(json.dumps(replace_descriptions(line["request"]))))
        if line["route"] in ("txt2img", "img2img"):
            drawn = seeds_of(line["answer"])
            request |= {name: seed for name, seed in drawn.items() if request.get(name, -1) == -1}
        answer = self.replay.client.post(f"/sdapi/v1/{line['route']}", json=request)
        body = json.loads(self._to_recorded(answer.text))
        return ReplayedJob(line, answer.status_code, body, self.hash_pairs)

    def learn_hashes(self) -> None:
        """Record which hash of the fake corresponds to which recorded one."""
        hashes = [
            ("Stable-diffusion", CHECKPOINT_HASHES, digest, 10),
            ("ControlNet", CONTROLNET_HASHES, short_hash, 8),
            ("VAE", VAE_HASHES, digest, 10),
            (LORA_DIR, LORA_HASHES[self.flavor], digest, 12),
        ]
        for folder, recorded_hashes, hash_of, digits in hashes:
            for path in (self.folder / folder).rglob("*.safetensors"):
                if path.stem in recorded_hashes:
                    self.hash_pairs.append((recorded_hashes[path.stem], hash_of(path)[:digits]))

    def _to_own(self, text: str) -> str:
        for recorded, own in self.hash_pairs:
            text = text.replace(recorded, own)
        return text

    def _to_recorded(self, text: str) -> str:
        for recorded, own in self.hash_pairs:
            text = text.replace(own, recorded)
        return text


def replay_jobs(
    flavor: str, folder: Path, make: Make = Components.make, only: Collection[str] | None = None
) -> list[ReplayedJob]:
    """Replay the recorded jobs of a Web UI run by run: all, or `only` those with some names."""
    replayed_jobs = []
    chosen = [line for line in jobs(flavor) if only is None or line["name"] in only]
    for run in (1, 2):
        with running_server(flavor, run, folder / str(run), make) as server:
            replayed_jobs += [server.send(line) for line in chosen if line["run"] == run]
    return replayed_jobs


@contextmanager
def running_server(flavor: str, run: int, folder: Path, make: Make) -> Iterator[JobReplay]:
    """Start a fake with the models and extensions of a run; some models are added after its start."""
    for name in CHECKPOINT_HASHES:
        write_checkpoint(folder / f"Stable-diffusion/{name}.safetensors", name.encode())
    write_checkpoint(folder / "VAE/random-vae.safetensors", b"vae")
    write_controlnet(folder / "ControlNet/control_v11p_sd15_canny.safetensors", flavor)
    write_lora(folder / LORA_DIR / "random-style.safetensors")
    settings = quick_settings(
        model_dir=folder,
        flavor=flavor,
        checkpoint="v1-5-pruned-emaonly.safetensors",
        extra_scripts=EXTENSIONS[flavor, run],
    )
    with replaying(make, settings) as replay:
        if (flavor, run) == ("a1111", 1):  # ControlNet was not installed yet
            for titles in replay.components.scripts.titles.values():
                titles.remove("controlnet")
        if run == 2:
            write_lora(folder / LORA_DIR / "sub/bucket-lora.safetensors")
            write_checkpoint(folder / "VAE/bucket-vae.safetensors", b"bucket")
            write_controlnet(folder / "ControlNet/control_v11f1p_sd15_depth.safetensors", flavor)
        refresh_models(replay.client)
        server = JobReplay(replay, folder, flavor)
        server.learn_hashes()
        yield server


def refresh_models(client: httpx.Client) -> None:
    """Refresh the lists after models were added, as the consumer does, and name the settings that it may
    override.
    """
    for route in ("refresh-checkpoints", "refresh-loras", "refresh-vae"):
        client.post(f"/sdapi/v1/{route}").raise_for_status()
    client.get("/controlnet/model_list?update=true").raise_for_status()
    options = client.get("/sdapi/v1/options").json()
    client.post(
        "/sdapi/v1/options", json={name: options[name] for name in OVERRIDDEN_SETTINGS if name in options}
    )


def write_controlnet(path: Path, flavor: str) -> None:
    """Write a ControlNet model; the recorded AUTOMATIC1111 found those but could not load them."""
    write_checkpoint(path, path.stem.encode())
    if flavor == "a1111":
        path.write_bytes(path.stem.encode())


def write_lora(path: Path) -> None:
    """Write a LoRA with an alias in its header."""
    header = json.dumps({"__metadata__": {"ss_output_name": ALIAS}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header + path.stem.encode())


def seeds_of(answer: dict[str, Any]) -> dict[str, int]:
    """Return the seeds that the real server drew, from an image's infotext if `info` was not recorded."""
    if "info" in answer:
        return {name: answer["info"][name] for name in ("seed", "subseed")}
    texts = [image["$image"]["parameters"] for image in answer.get("images", [])]
    return {"seed": int(texts[0].partition("Seed: ")[2].partition(",")[0])} if texts else {}


def replace_descriptions(value: Any) -> Any:
    """Replace descriptions by images of the recorded sizes, modes and formats."""
    if isinstance(value, dict) and "$image" in value:
        return base64.b64encode(image_for(value["$image"])).decode()
    if isinstance(value, dict):
        return {name: replace_descriptions(member) for name, member in value.items()}
    return [replace_descriptions(element) for element in value] if isinstance(value, list) else value


def image_for(description: dict[str, Any]) -> bytes:
    """Return an image for a description, which is the same for the same recorded pixels."""
    rotated = description["bytes"] == ROTATED_BYTES
    return _image(
        description["pixels_sha256"],
        description["mode"],
        description["format"],
        *description["size"],
        rotated=rotated,
    )


@cache
def _image(seed: str, mode: str, kind: str, width: int, height: int, *, rotated: bool) -> bytes:
    noise = random.Random(seed)
    small = Image.frombytes("RGBA", (8, 8), noise.randbytes(8 * 8 * 4)).resize((width, height))
    image = small.convert("RGB").convert("P") if mode == "P" else small.convert(mode)
    buffer = io.BytesIO()
    exif = Image.Exif()
    if rotated:
        exif[ORIENTATION] = ON_ITS_SIDE
    image.save(buffer, format=kind, **({"exif": exif} if kind == "JPEG" else {}))
    return buffer.getvalue()


def descriptions_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the descriptions of the images in a request."""
    if isinstance(value, dict) and "$image" in value:
        yield value["$image"]
    elif isinstance(value, dict | list):
        for element in value.values() if isinstance(value, dict) else value:
            yield from descriptions_in(element)


def images_in(answer: dict[str, Any]) -> list[Any]:
    """Return the images in a response of any route."""
    return [answer["image"]] if "image" in answer else answer.get("images", [])


def pixel_hash(image: str) -> str:
    """Return a hash of an image's decoded pixels, computed as by the recorder."""
    opened = Image.open(io.BytesIO(base64.b64decode(image)))
    return hashlib.sha256(opened.tobytes()).hexdigest()[:16]
