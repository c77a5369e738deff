"""Web UI's scripts: their names and arguments, and the effects of those that the fake implements."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException
from PIL import Image

from local.fakes.sdwebui.controlnet import MAX_UNITS, ControlNet, control_map
from local.fakes.sdwebui.encoding import decode_image, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.recorded_responses import recorded_response
from local.fakes.sdwebui.requests import Generation
from local.fakes.sdwebui.selectable import LOOPBACK, SD_UPSCALE, Loops
from local.fakes.sdwebui.wildcards import has_template_extension

MATRIX = "prompt matrix"
ANIMATE = "animatediff"
CONTROLNET = "controlnet"
SCRIPTS_WITHOUT_EFFECT = frozenset({"adetailer"})
"""Always-on scripts that change nothing here, because the drawn pictures show no faces."""
FORGE_TITLE_ENDINGS = ("integrated", "integrated (sd 1.x, sd 2.x, sdxl)")


@dataclass(kw_only=True)
class ScriptPlan:
    """What the scripts of a request add to its generation."""

    prompts: list[str] | None = None  # prompt matrix: an image for each, after a grid
    gif_frames: int = 0
    gif_frames_per_second: float = 8
    loops: Loops | None = None  # loopback: one picture after the other, after a grid
    tile_args: list[Any] | None = None  # SD upscale's arguments
    hints: list[Image.Image] = field(default_factory=list)  # ControlNet's images
    # ControlNet's maps: what its modules made of these images
    maps: list[Image.Image] = field(default_factory=list)
    fills_in_templates: bool = False
    effects: list[str] = field(default_factory=list)  # always-on scripts that change the picture
    extra_params: dict[str, Any] = field(default_factory=dict)


class Scripts:
    """Checks and interprets the scripts of a request, before its job is queued."""

    def __init__(
        self,
        options: Options,
        extra_titles: tuple[str, ...],
        controlnet: ControlNet,
        *,
        is_forge: bool = True,
    ) -> None:
        self._options = options
        self._controlnet = controlnet
        self.titles = {
            tab: [
                *(title for title in titles if is_forge or not title.endswith(FORGE_TITLE_ENDINGS)),
                *extra_titles,
            ]
            for tab, titles in recorded_response("scripts").items()
        }
        selectable = {
            script["name"] for script in recorded_response("script-info") if not script["is_alwayson"]
        }
        self._selectable = {
            tab: [title for title in titles if title in selectable] for tab, titles in self.titles.items()
        }

    def plan(self, request: Generation, tab: str) -> ScriptPlan:
        """Return the effects of a request's scripts; raise HTTPException (unknown) or Failure (arguments)."""
        plan = ScriptPlan()
        name = request.script_name
        if name:
            if name.lower() not in self._selectable[tab]:
                raise HTTPException(422, f"Script '{name}' not found")
            if name.lower() == MATRIX:
                plan.prompts = _matrix_prompts(request.prompt or "")
            elif name.lower() == LOOPBACK:
                plan.loops = Loops(request.script_args)
                plan.extra_params |= plan.loops.described
            elif name.lower() == SD_UPSCALE:
                plan.tile_args = request.script_args
        plan.fills_in_templates = has_template_extension(self.titles[tab], request.alwayson_scripts)
        for title, value in request.alwayson_scripts.items():
            args = self._arguments(title, value, tab)
            if title.lower() == CONTROLNET:
                self._plan_controlnet(args, plan, (int(request.width or 0), int(request.height or 0)))
            elif title.lower() == ANIMATE:
                _plan_animation(args, plan)
            elif args and args[0] is True and title.lower() not in SCRIPTS_WITHOUT_EFFECT:
                plan.effects.append(f"{title.lower()} {args}")
        return plan

    def _arguments(self, title: str, value: Any, tab: str) -> list[Any]:
        if title.lower() not in self.titles[tab]:
            raise HTTPException(422, f"Script '{title}' not found")
        if title.lower() in self._selectable[tab]:
            raise HTTPException(422, "Cannot have a selectable script in the always on scripts params")
        if value is None:
            raise Failure("TypeError", "argument of type 'NoneType' is not iterable")
        if not isinstance(value, dict) or "args" not in value:
            return []
        args = value["args"]
        if args is None:
            raise Failure("TypeError", "object of type 'NoneType' has no len()")
        if isinstance(args, dict) and args:
            raise Failure("KeyError", "0")
        return list(args)

    def _plan_controlnet(self, units: list[Any], plan: ScriptPlan, size: tuple[int, int]) -> None:
        """Add the units and their images to the plan; SD Web UI only logs errors in them."""
        size = (size[0] // 8 * 8, size[1] // 8 * 8)
        for number, unit in enumerate(unit for unit in units[:MAX_UNITS] if isinstance(unit, dict)):
            if not unit.get("enabled", True):
                continue
            self._controlnet.check(unit)
            plan.extra_params[f"ControlNet {number}"] = self._controlnet.infotext_value(unit)
            image = unit.get("image") or unit.get("input_image")
            if not self._controlnet.has_effect(unit) or not isinstance(image, str):
                continue  # SD Web UI logs an exception, but its infotext names the unit nevertheless
            try:
                hint = pixels(decode_image(image, self._options))
            except (Failure, HTTPException):
                continue
            if self._controlnet.has_usable_model(unit):
                plan.hints.append(hint)
            may_have_map = min(size) > 0 and not self._options["control_net_no_detectmap"]
            if may_have_map and self._controlnet.returns_map(unit):
                plan.maps.append(control_map(hint, unit, size))


def _matrix_prompts(prompt: str) -> list[str]:
    first, *options = prompt.split("|")
    combinations = range(2 ** len(options))
    return [
        ", ".join(
            [first.strip(), *(option.strip() for bit, option in enumerate(options) if number >> bit & 1)]
        )
        for number in combinations
    ]


def _plan_animation(args: list[Any], plan: ScriptPlan) -> None:
    """Add an animation to the plan if AnimateDiff is enabled for GIF (by its first argument)."""
    settings = args[0] if args and isinstance(args[0], dict) else {}
    if settings.get("enable", True) and "GIF" in (settings.get("format") or []):
        plan.gif_frames = int(settings.get("video_length") or 16)
        plan.gif_frames_per_second = float(settings.get("fps") or 8)
        plan.extra_params["AnimateDiff"] = f"enable: True, video_length: {plan.gif_frames}"
