"""The description of a generation: `info`, and the infotext inside its images."""

import json
import math
import re
from typing import Any

from local.fakes.sdwebui import DISCLAIMER, VERSION

PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
ONLY_IN_INFOTEXT = frozenset({"scheduler_label", "modules", "tiling", "hires_prompts"})
SIZE = re.compile(r"^(\d+)x(\d+)$")


def format_number(value: float | None) -> str:
    """Format a number as Python does: a float keeps its point (7.0), NaN is nan."""
    return "nan" if isinstance(value, float) and math.isnan(value) else str(value)


def infotext(info_values: dict[str, Any], index: int) -> str:
    """Return the infotext of image number `index` from the values of `info`."""
    extra = info_values["extra_generation_params"]
    parameters: dict[str, Any] = {
        "Steps": info_values["steps"],
        "Sampler": info_values["sampler_name"],
        "Schedule type": extra.get("Schedule type", info_values["scheduler_label"]),
        "CFG scale": format_number(info_values["cfg_scale"]),
        "Seed": info_values["all_seeds"][index]
        if index < len(info_values["all_seeds"])
        else info_values["seed"],
        **({"Face restoration": "CodeFormer"} if info_values["restore_faces"] else {}),
        "Size": f"{info_values['width']}x{info_values['height']}",
        "Model hash": info_values["sd_model_hash"],
        "Model": info_values["sd_model_name"],
        **{name: value for name, value in info_values["modules"].items() if name.startswith("VAE")},
        **_variation(info_values, index),
        "Denoising strength": extra.get("Denoising strength"),
        **({"Clip skip": int(info_values["clip_skip"])} if info_values["clip_skip"] > 1 else {}),
        **({"Tiling": True} if info_values["tiling"] else {}),
        **{name: value for name, value in extra.items() if name != "Schedule type"},
        "Version": VERSION,
        **{name: value for name, value in info_values["modules"].items() if name.startswith("Module")},
    }
    parameters |= {name: text for name, text in info_values["hires_prompts"].items() if name in parameters}
    prompts = info_values["all_prompts"]
    prompt = prompts[index] if index < len(prompts) else info_values["prompt"]
    negative = (
        f"\nNegative prompt: {info_values['negative_prompt']}" if info_values["negative_prompt"] else ""
    )
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in parameters.items() if value is not None)
    return f"{prompt}{negative}\n{line}".strip()


def _variation(info_values: dict[str, Any], index: int) -> dict[str, Any]:
    """Return the variation seed and the size of the seed's noise, if they have an effect."""
    values: dict[str, Any] = {}
    if info_values["subseed_strength"]:
        seeds = info_values["all_subseeds"]
        values["Variation seed"] = seeds[index] if index < len(seeds) else info_values["subseed"]
        values["Variation seed strength"] = info_values["subseed_strength"]
    size = (info_values["seed_resize_from_w"] or 0, info_values["seed_resize_from_h"] or 0)
    if min(size) > 0:
        values["Seed resize from"] = f"{size[0]}x{size[1]}"
    return values


def encode_info(info_values: dict[str, Any]) -> str:
    """Return `info`, a JSON string inside the JSON response, which says that there is no diffusion model."""
    public = {name: value for name, value in info_values.items() if name not in ONLY_IN_INFOTEXT}
    return json.dumps({**public, "version": VERSION, "fake_webui": DISCLAIMER})


def parse_infotext(text: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """Parse an infotext into parameters, with the defaults that Web UI adds."""
    lines = text.strip().split("\n")
    parameters: dict[str, Any] = {}
    if len(PARAMETER.findall(lines[-1])) >= 3:  # with fewer, the line may be a prompt with colons
        for name, raw in PARAMETER.findall(lines.pop()):
            value = json.loads(raw) if raw.startswith('"') else raw
            if size := SIZE.match(value):
                parameters[f"{name}-1"], parameters[f"{name}-2"] = size.groups()
            elif name != "Model":
                parameters[name] = value
    prompt, _, negative = "\n".join(lines).partition("\nNegative prompt: ")
    if text:
        parameters |= {"Prompt": prompt, "Negative prompt": negative}
    return {**parameters, **{name: value for name, value in defaults.items() if name not in parameters}}


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if "," in text or ":" in text else text
