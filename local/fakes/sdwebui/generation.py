"""Text to image and image to image, in the order of SD Web UI and with its quirks."""

import math
from typing import Any

from fastapi import HTTPException
from PIL import Image, ImageOps

from local.fakes import drawing
from local.fakes.faults import Fault
from local.fakes.sdwebui.additional_images import grid_of, masks_of
from local.fakes.sdwebui.checks import check
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.description import describe
from local.fakes.sdwebui.effects import effects
from local.fakes.sdwebui.encoding import decode_image, encode_ahead, encode_gif, encode_image, pixels
from local.fakes.sdwebui.infotext import info, infotext
from local.fakes.sdwebui.job import Job
from local.fakes.sdwebui.networks import without_tags
from local.fakes.sdwebui.parameters import size_of
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
)
from local.fakes.sdwebui.scripts import Plan
from local.fakes.sdwebui.selectable import Tiles

PAINTED = frozenset({"Schedule type", "AnimateDiff"})
"""Parameters that change a picture; the others describe what is drawn elsewhere or has no effect."""


def generate(components: Components, request: Generation) -> dict[str, Any]:
    """Generate the images of a request and return the response; raise Failure or HTTPException."""
    tab = "img2img" if isinstance(request, StableDiffusionProcessingImg2Img) else "txt2img"
    plan = components.scripts.plan(request, tab)
    mask = None
    if isinstance(request, StableDiffusionProcessingImg2Img):
        if request.init_images is None:
            raise HTTPException(404, "Init image not found")
        mask = decode_image(request.mask, components.options) if request.mask else None
        if mask is not None and request.inpainting_mask_invert:
            mask = ImageOps.invert(pixels(mask))
    entry, injected = None, {}
    with components.tasks.queued(request.force_task_id), components.queue:
        injected = components.faults.for_next_job()
        entry = components.stats.begin(route=tab, prompt=request.prompt, seed=request.seed)
        outcome = "failed"
        try:
            with components.tasks.running(request.force_task_id):
                references = _references(components, request)
                components.state.begin(f"scripts_{tab}")
                made, images = Run(
                    components, request, plan, injected, references=references, mask=mask
                ).process()
            outcome = "done"
        finally:
            components.state.end()
            components.faults.done(injected)
            components.stats.end(entry, outcome)
    if "no-images" in injected:
        images = []
    if "fewer-images" in injected:
        images = images[:-1]
    encoded = [] if not request.send_images else [_encode(components, plan, image) for image in images]
    entry.update(model=made["sd_model_name"], images=len(encoded))
    return {"images": encoded, "parameters": _echo(request), "info": info(made), "injected": injected}


class Run:
    """Runs one generation while no other job runs."""

    def __init__(
        self,
        components: Components,
        request: Generation,
        plan: Plan,
        injected: dict[str, Fault],
        *,
        references: list[Image.Image],
        mask: Image.Image | None,
    ) -> None:
        self.components = components
        self.request = request
        self.plan = plan
        self.injected = injected
        self.references = references
        self.originals = references
        self.mask = mask
        self.tiles: Tiles | None = None
        self.effects: tuple[str, ...] = ()
        self.strength = request.denoising_strength
        self.first_strength = request.denoising_strength or 0.0
        self.images: list[Any] = []
        self.texts: list[str] = []

    def process(self) -> tuple[dict[str, Any], list[Any]]:
        """Set the overrides, generate the images, and restore the options, which can fail after the job."""
        components, request = self.components, self.request
        restore = request.override_settings_restore_afterwards is not False
        with components.options.overridden(request.override_settings, restore=restore):
            if "poison" in self.injected:
                components.memory.poison()
            model = components.memory.need()
            if "wrong-model" in self.injected:
                model = next((one for one in components.checkpoints.all() if one is not model), model)
                components.checkpoints.measured(model)
            self.references = check(
                request, self.references, components.checkpoints, forge=components.settings.forge
            )
            self.originals = self.references
            if self.plan.tile_args is not None:
                size = (int(request.width or 0), int(request.height or 0))
                self.tiles = Tiles(self.plan.tile_args, size, self.references[0])
                self.plan.extra_params |= self.tiles.described
            made = describe(components, request, self.plan, model, self.mask)
            self.effects = effects(components, request, self.plan, made, self.mask)
            self._iterate(made)
            self._add_grid(made)
            if self.mask is not None and self.images:
                self.images += masks_of(components, self.mask, self.images[-1])
            self.images += self.plan.maps if self.images else []
            self._report_as_scripts_do(made)
            made["infotexts"] = self.texts or [infotext(made, 0)]
        return made, self.images

    def _iterate(self, made: dict[str, Any]) -> None:
        components, request, state = self.components, self.request, self.components.state
        steps, batch = int(request.steps or 0), int(request.batch_size or 0)
        loops = self.plan.loops.count if self.plan.loops else 1
        rounds = (
            [made["all_prompts"][i : i + batch] for i in range(0, len(made["all_prompts"]), batch)]
            if self.plan.prompts or (self.plan.fills_templates and not self.plan.loops)
            else [[made["prompt"]] * batch for _ in range(int(request.n_iter or 0) * loops)]
        )
        made["all_seeds"] += [made["seed"] + n for n in range(len(made["all_seeds"]), len(rounds) * batch)]
        job = Job(
            state, components.settings, components.options, self.injected, iterations=len(rounds), steps=steps
        )
        state.job_count = len(rounds)
        for number, prompts in enumerate(rounds):
            state.skipped = False
            if state.stopped():
                break
            # The selected checkpoint is read in each round, because another client may have changed it.
            model = made["sd_model_name"] if "wrong-model" in self.injected else components.memory.need().stem
            if len(rounds) > 1:
                state.job = f"Batch {number + 1} out of {len(rounds)}"
            first = number * batch
            if self.plan.loops:
                self._loop(made, number % loops)
            scenes = [self._scene(made, prompt, first + i, model) for i, prompt in enumerate(prompts)]
            painted = [self._paint(made, scene, first + i) for i, scene in enumerate(scenes)]
            share = job.sample(lambda done, p=painted, s=scenes: self._preview(p[0], s[0], done))  # type: ignore[misc]
            for i, (picture, scene) in enumerate(zip(painted, scenes, strict=True)):
                if share < 1 and not isinstance(picture, list):
                    half = drawing.half_done(picture.convert("RGB"), scene, share)
                    self.images.append(self._finished(half, made, first + i))
                else:
                    self.images.append(picture)
                self.texts.append(infotext(made, first + i))
            state.next_iteration()

    def _paint(self, made: dict[str, Any], scene: drawing.Scene, place: int) -> Any:
        """Paint an image or the frames of an animation; encode it, so that this is part of the job's time."""
        if self.plan.gif_frames:
            return drawing.animate(scene, self.plan.gif_frames)
        if self.tiles is not None:
            return drawing.paint(scene)  # assembled from tiles, so it has no infotext
        picture = self._finished(drawing.paint(scene), made, place)
        encode_ahead(picture, self.components.options)
        return picture

    def _finished(self, picture: Image.Image, made: dict[str, Any], place: int) -> Image.Image:
        if self.request.save_images:
            picture = picture.convert("RGBA")  # SD Web UI writes the saved file's text into an alpha channel
        if self.components.options["enable_pnginfo"]:
            picture.info["parameters"] = infotext(made, place)
        return picture

    def _preview(self, picture: Any, scene: drawing.Scene, done: float) -> None:
        still = picture[0] if isinstance(picture, list) else picture
        half = drawing.half_done(still.convert("RGB"), scene, done)
        self.components.state.current_image = drawing.preview(half)

    def _scene(self, made: dict[str, Any], prompt: str, place: int, model: str) -> drawing.Scene:
        request = self.request
        references = self.references
        width, height = size_of(request, self.mask, references) if self.tiles is None else self.tiles.size
        return drawing.Scene(
            width=width,
            height=height,
            prompt=without_tags(prompt).strip(),
            negative_prompt=made["negative_prompt"],
            seed=made["all_seeds"][place],
            steps=int(request.steps or 0),
            cfg_scale=request.cfg_scale,
            sampler=made["sampler_name"],
            model=model,
            extra=str(
                {name: value for name, value in made["extra_generation_params"].items() if name in PAINTED}
            ),
            effects=self.effects,
            denoising=self.strength,
            reference=references[place % len(references)] if references else None,
            mask=self.mask,
            hints=tuple(self.plan.hints),
        )

    def _loop(self, made: dict[str, Any], loop: int) -> None:
        """Continue from the previous picture, with the strength of this loop."""
        assert self.plan.loops is not None
        if loop == 0:
            self.references = self.originals
        elif self.images:
            self.references = [self.images[-1].convert("RGB")]
        self.strength = self.plan.loops.strength(self.first_strength, loop)
        made["extra_generation_params"]["Denoising strength"] = self.strength

    def _add_grid(self, made: dict[str, Any]) -> None:
        text = self.texts[0] if self.texts else ""
        sheet = grid_of(self.components, self.request, self.plan, self.images, text)
        if sheet is not None:
            self.images.insert(0, sheet)
            self.texts.insert(0, text)
            made["index_of_first_image"] = 0 if self.plan.loops else 1

    def _report_as_scripts_do(self, made: dict[str, Any]) -> None:
        """Report the seeds, texts and strength of the last run inside a script, as recorded."""
        if self.plan.loops:
            made["all_seeds"] = made["all_seeds"][-1:]
            made["denoising_strength"] = self.plan.loops.strength(self.first_strength, self.plan.loops.count)
            self.texts = self.texts[:1] * len(self.texts)
        elif self.tiles is not None:
            made["all_seeds"] = [made["seed"] + self.tiles.count - 1]


def _references(components: Components, request: Generation) -> list[Image.Image]:
    if not isinstance(request, StableDiffusionProcessingImg2Img):
        return []
    return [decode_image(image, components.options) for image in request.init_images or []]


def _encode(components: Components, plan: Plan, image: Any) -> str:
    if isinstance(image, list):
        return encode_gif(image, plan.gif_frames_a_second)
    return encode_image(image, components.options)


def _echo(request: Generation) -> dict[str, Any]:
    echoed = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in request.model_dump().items()
    }
    if isinstance(request, StableDiffusionProcessingImg2Img) and not request.include_init_images:
        echoed.update(init_images=None, mask=None)
    return echoed
