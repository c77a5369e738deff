"""Text to image and image to image, in the order of SD Web UI and with its quirks."""

import math
from typing import Any

from fastapi import HTTPException
from PIL import Image, ImageOps

from local.fakes import drawing
from local.fakes.faults import Fault
from local.fakes.sdwebui.additional_images import draw_grid, draw_masks
from local.fakes.sdwebui.checks import check_request
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.description import info_values_of
from local.fakes.sdwebui.effects import apply_effects
from local.fakes.sdwebui.encoding import decode_image, encode_ahead, encode_gif, encode_image, pixels
from local.fakes.sdwebui.infotext import encode_info, infotext
from local.fakes.sdwebui.job import Job
from local.fakes.sdwebui.networks import remove_tags
from local.fakes.sdwebui.parameters import picture_size
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
)
from local.fakes.sdwebui.scripts import ScriptPlan
from local.fakes.sdwebui.selectable import Tiles

PARAMETERS_DRAWN = frozenset({"Schedule type", "AnimateDiff"})
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
                references = _decode_references(components, request)
                components.state.begin(f"scripts_{tab}")
                info_values, images = GenerationRun(
                    components, request, plan, injected, references=references, mask=mask
                ).process()
            outcome = "done"
        finally:
            components.state.end()
            components.faults.end_job(injected)
            components.stats.end(entry, outcome)
    if "no-images" in injected:
        images = []
    if "fewer-images" in injected:
        images = images[:-1]
    encoded = [] if not request.send_images else [_encode(components, plan, image) for image in images]
    entry.update(model=info_values["sd_model_name"], images=len(encoded))
    return {
        "images": encoded,
        "parameters": _echo_request(request),
        "info": encode_info(info_values),
        "injected": injected,
    }


class GenerationRun:
    """Runs one generation while no other job runs."""

    def __init__(
        self,
        components: Components,
        request: Generation,
        plan: ScriptPlan,
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
        self.requested_strength = request.denoising_strength or 0.0
        self.images: list[Any] = []
        self.texts: list[str] = []

    def process(self) -> tuple[dict[str, Any], list[Any]]:
        """Set the overrides, generate the images, and restore the options, which can fail after the job."""
        components, request = self.components, self.request
        restore = request.override_settings_restore_afterwards is not False
        with components.options.overridden(request.override_settings, restore=restore):
            if "unhealthy" in self.injected:
                components.memory.unload_after_failure()
            model = components.memory.load_selected()
            if "wrong-model" in self.injected:
                others = (other for other in components.checkpoints.all() if other is not model)
                model = next(others, model)
                components.checkpoints.register_hash(model)
            self.references = check_request(
                request, self.references, components.checkpoints, is_forge=components.settings.is_forge
            )
            self.originals = self.references
            if self.plan.tile_args is not None:
                size = (int(request.width or 0), int(request.height or 0))
                self.tiles = Tiles(self.plan.tile_args, size, self.references[0])
                self.plan.extra_params |= self.tiles.described
            info_values = info_values_of(components, request, self.plan, model, self.mask)
            self.effects = apply_effects(components, request, self.plan, info_values, self.mask)
            self._iterate(info_values)
            self._add_grid(info_values)
            if self.mask is not None and self.images:
                self.images += draw_masks(components, self.mask, self.images[-1])
            self.images += self.plan.maps if self.images else []
            self._report_last_run_of_script(info_values)
            info_values["infotexts"] = self.texts or [infotext(info_values, 0)]
        return info_values, self.images

    def _iterate(self, info_values: dict[str, Any]) -> None:
        components, request, state = self.components, self.request, self.components.state
        steps, batch_size = int(request.steps or 0), int(request.batch_size or 0)
        loops = self.plan.loops.count if self.plan.loops else 1
        # The prompts of each iteration.
        iterations = (
            [
                info_values["all_prompts"][start : start + batch_size]
                for start in range(0, len(info_values["all_prompts"]), batch_size)
            ]
            if self.plan.prompts or (self.plan.fills_in_templates and not self.plan.loops)
            else [[info_values["prompt"]] * batch_size for _ in range(int(request.n_iter or 0) * loops)]
        )
        info_values["all_seeds"] += [
            info_values["seed"] + index
            for index in range(len(info_values["all_seeds"]), len(iterations) * batch_size)
        ]
        job = Job(
            state,
            components.settings,
            components.options,
            self.injected,
            iterations=len(iterations),
            steps=steps,
        )
        state.job_count = len(iterations)
        for number, prompts in enumerate(iterations):
            state.skipped = False
            if state.must_stop():
                break
            # The selected checkpoint is read in each iteration, because another client may have changed it.
            model = (
                info_values["sd_model_name"]
                if "wrong-model" in self.injected
                else components.memory.load_selected().stem
            )
            if len(iterations) > 1:
                state.job = f"Batch {number + 1} out of {len(iterations)}"
            first = number * batch_size
            if self.plan.loops:
                self._prepare_loop(info_values, number % loops)
            scenes = [
                self._scene(info_values, prompt, first + index, model) for index, prompt in enumerate(prompts)
            ]
            pictures = [self._draw(info_values, scene, first + index) for index, scene in enumerate(scenes)]
            fraction = job.sample(lambda done, p=pictures, s=scenes: self._preview(p[0], s[0], done))  # type: ignore[misc]
            for index, (picture, scene) in enumerate(zip(pictures, scenes, strict=True)):
                if fraction < 1 and not isinstance(picture, list):
                    unfinished = drawing.draw_unfinished(picture.convert("RGB"), scene, fraction)
                    self.images.append(self._add_infotext(unfinished, info_values, first + index))
                else:
                    self.images.append(picture)
                self.texts.append(infotext(info_values, first + index))
            state.next_iteration()

    def _draw(self, info_values: dict[str, Any], scene: drawing.Scene, index: int) -> Any:
        """Draw an image, or the frames of an animation; a PNG is encoded already, within the job's time."""
        if self.plan.gif_frames:
            return drawing.draw_frames(scene, self.plan.gif_frames)
        if self.tiles is not None:
            return drawing.draw_picture(scene)  # assembled from tiles, so it has no infotext
        picture = self._add_infotext(drawing.draw_picture(scene), info_values, index)
        encode_ahead(picture, self.components.options)
        return picture

    def _add_infotext(self, picture: Image.Image, info_values: dict[str, Any], index: int) -> Image.Image:
        if self.request.save_images:
            picture = picture.convert("RGBA")  # SD Web UI writes the saved file's text into an alpha channel
        if self.components.options["enable_pnginfo"]:
            picture.info["parameters"] = infotext(info_values, index)
        return picture

    def _preview(self, picture: Any, scene: drawing.Scene, done: float) -> None:
        still = picture[0] if isinstance(picture, list) else picture
        unfinished = drawing.draw_unfinished(still.convert("RGB"), scene, done)
        self.components.state.current_image = drawing.draw_preview(unfinished)

    def _scene(self, info_values: dict[str, Any], prompt: str, index: int, model: str) -> drawing.Scene:
        request = self.request
        references = self.references
        width, height = (
            picture_size(request, self.mask, references) if self.tiles is None else self.tiles.size
        )
        return drawing.Scene(
            width=width,
            height=height,
            prompt=remove_tags(prompt).strip(),
            negative_prompt=info_values["negative_prompt"],
            seed=info_values["all_seeds"][index],
            steps=int(request.steps or 0),
            cfg_scale=request.cfg_scale,
            sampler=info_values["sampler_name"],
            model=model,
            extra=str(
                {
                    name: value
                    for name, value in info_values["extra_generation_params"].items()
                    if name in PARAMETERS_DRAWN
                }
            ),
            effects=self.effects,
            denoising=self.strength,
            reference=references[index % len(references)] if references else None,
            mask=self.mask,
            hints=tuple(self.plan.hints),
        )

    def _prepare_loop(self, info_values: dict[str, Any], loop: int) -> None:
        """Continue from the previous picture, with the strength of this loop."""
        assert self.plan.loops is not None
        if loop == 0:
            self.references = self.originals
        elif self.images:
            self.references = [self.images[-1].convert("RGB")]
        self.strength = self.plan.loops.strength(self.requested_strength, loop)
        info_values["extra_generation_params"]["Denoising strength"] = self.strength

    def _add_grid(self, info_values: dict[str, Any]) -> None:
        text = self.texts[0] if self.texts else ""
        sheet = draw_grid(self.components, self.request, self.plan, self.images, text)
        if sheet is not None:
            self.images.insert(0, sheet)
            self.texts.insert(0, text)
            info_values["index_of_first_image"] = 0 if self.plan.loops else 1

    def _report_last_run_of_script(self, info_values: dict[str, Any]) -> None:
        """Report the seeds, texts and strength of the last run inside a script, as recorded."""
        if self.plan.loops:
            info_values["all_seeds"] = info_values["all_seeds"][-1:]
            info_values["denoising_strength"] = self.plan.loops.strength(
                self.requested_strength, self.plan.loops.count
            )
            self.texts = self.texts[:1] * len(self.texts)
        elif self.tiles is not None:
            info_values["all_seeds"] = [info_values["seed"] + self.tiles.count - 1]


def _decode_references(components: Components, request: Generation) -> list[Image.Image]:
    if not isinstance(request, StableDiffusionProcessingImg2Img):
        return []
    return [decode_image(image, components.options) for image in request.init_images or []]


def _encode(components: Components, plan: ScriptPlan, image: Any) -> str:
    if isinstance(image, list):
        return encode_gif(image, plan.gif_frames_per_second)
    return encode_image(image, components.options)


def _echo_request(request: Generation) -> dict[str, Any]:
    echoed = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in request.model_dump().items()
    }
    if isinstance(request, StableDiffusionProcessingImg2Img) and not request.include_init_images:
        echoed.update(init_images=None, mask=None)
    return echoed
