"""Web UI's scripts: which there are, what their arguments must be, and the few that do something here."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException
from PIL import Image

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.controlnet import ControlNet
from local.fakes.sdwebui.encoding import decode_image, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.requests import Generation
from local.fakes.sdwebui.selectable import LOOPBACK, SD_UPSCALE, loops

MATRIX = "prompt matrix"
ANIMATE = "animatediff"
CONTROLNET = "controlnet"
OF_FORGE = ("integrated", "integrated (sd 1.x, sd 2.x, sdxl)")


@dataclass(kw_only=True)
class Plan:
    """Say what the scripts add to a generation."""

    prompts: list[str] | None = None  # prompt matrix: one image for each, and a grid before them
    gif_frames: int = 0
    gif_frames_a_second: float = 8
    loops: int = 0  # loopback: that many pictures after each other, and a grid before them
    tile_args: list[Any] | None = None  # SD upscale's arguments
    hints: list[Image.Image] = field(default_factory=list)  # what ControlNet steers by
    maps: list[Image.Image] = field(default_factory=list)  # what ControlNet's modules made of its images
    extra_params: dict[str, Any] = field(default_factory=dict)


class Scripts:
    """Check the scripts that a request names, before it waits in line."""

    def __init__(
        self, options: Options, extra: tuple[str, ...], controlnet: ControlNet, *, forge: bool = True
    ) -> None:
        self._options = options
        self._known = controlnet
        self.titles = {
            tab: [*(title for title in titles if forge or not title.endswith(OF_FORGE)), *extra]
            for tab, titles in recorded("scripts").items()
        }
        selectable = {script["name"] for script in recorded("script-info") if not script["is_alwayson"]}
        self._selectable = {
            tab: [title for title in titles if title in selectable] for tab, titles in self.titles.items()
        }

    def plan(self, request: Generation, tab: str) -> Plan:
        """Read the scripts of a request. Raises HTTPException (unknown) or Failure (arguments)."""
        plan = Plan()
        name = request.script_name
        if name:
            if name.lower() not in self._selectable[tab]:
                raise HTTPException(422, f"Script '{name}' not found")
            if name.lower() == MATRIX:
                plan.prompts = _matrix(request.prompt or "")
            elif name.lower() == LOOPBACK:
                plan.loops = loops(request.script_args)
            elif name.lower() == SD_UPSCALE:
                plan.tile_args = request.script_args
        for title, value in request.alwayson_scripts.items():
            args = self._arguments(title, value, tab)
            if title.lower() == CONTROLNET:
                self._controlnet(args, plan)
            elif title.lower() == ANIMATE:
                _animatediff(args, plan)
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

    def _controlnet(self, units: list[Any], plan: Plan) -> None:
        """Note the units and take their images; a fault in there is only logged by the real one."""
        for number, unit in enumerate(u for u in units if isinstance(u, dict)):
            if not unit.get("enabled", True):
                continue
            self._known.check(unit)
            plan.extra_params[f"ControlNet {number}"] = (
                f"Module: {unit.get('module')}, Model: {unit.get('model')}, "
                f"Weight: {float(unit.get('weight', 1.0))}, Resize Mode: ResizeMode.INNER_FIT, "
                f"Guidance Start: {float(unit.get('guidance_start', 0.0))}, "
                f"Guidance End: {float(unit.get('guidance_end', 1.0))}, "
                f"Pixel Perfect: {bool(unit.get('pixel_perfect', False))}, "
                "Control Mode: ControlMode.BALANCED, Hr Option: HiResFixOption.BOTH"
            )
            if not self._known.runs(unit):
                continue  # the real one logs an exception, and its text claims the unit all the same
            image = unit.get("image") or unit.get("input_image")
            if isinstance(image, str):
                try:
                    hint = pixels(decode_image(image, self._options))
                except (Failure, HTTPException):
                    continue
                if self._known.find(unit.get("model")) is not None:
                    plan.hints.append(hint)
                if unit.get("save_detected_map", True) and not self._options["control_net_no_detectmap"]:
                    plan.maps.append(hint)


def _matrix(prompt: str) -> list[str]:
    first, *options = prompt.split("|")
    chosen = range(2 ** len(options))
    return [
        ", ".join([first.strip(), *(o.strip() for bit, o in enumerate(options) if number >> bit & 1)])
        for number in chosen
    ]


def _animatediff(args: list[Any], plan: Plan) -> None:
    """Turn on the animation where AnimateDiff is enabled and asked for a GIF (its first argument)."""
    wanted = args[0] if args and isinstance(args[0], dict) else {}
    if wanted.get("enable", True) and "GIF" in (wanted.get("format") or []):
        plan.gif_frames = int(wanted.get("video_length") or 16)
        plan.gif_frames_a_second = float(wanted.get("fps") or 8)
        plan.extra_params["AnimateDiff"] = f"enable: True, video_length: {plan.gif_frames}"
