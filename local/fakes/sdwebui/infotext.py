"""The description of a generation: `info`, and the infotext inside its images."""

import json
import math
import re
from typing import Any

from local.fakes.sdwebui import DISCLAIMER, VERSION

PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
NOT_IN_INFO = frozenset({"scheduler_label", "modules", "tiling", "hires_prompts"})
SIZE = re.compile(r"^(\d+)x(\d+)$")


def number(value: float | None) -> str:
    """Format a number as Python does: a float keeps its point (7.0), NaN is nan."""
    return "nan" if isinstance(value, float) and math.isnan(value) else str(value)


def infotext(made: dict[str, Any], place: int) -> str:
    """Return the infotext of image number `place` from the values of `info`."""
    extra = made["extra_generation_params"]
    facts: dict[str, Any] = {
        "Steps": made["steps"],
        "Sampler": made["sampler_name"],
        "Schedule type": extra.get("Schedule type", made["scheduler_label"]),
        "CFG scale": number(made["cfg_scale"]),
        "Seed": made["all_seeds"][place] if place < len(made["all_seeds"]) else made["seed"],
        **({"Face restoration": "CodeFormer"} if made["restore_faces"] else {}),
        "Size": f"{made['width']}x{made['height']}",
        "Model hash": made["sd_model_hash"],
        "Model": made["sd_model_name"],
        **{name: value for name, value in made["modules"].items() if name.startswith("VAE")},
        **_variation(made, place),
        "Denoising strength": extra.get("Denoising strength"),
        **({"Clip skip": int(made["clip_skip"])} if made["clip_skip"] > 1 else {}),
        **({"Tiling": True} if made["tiling"] else {}),
        **{name: value for name, value in extra.items() if name != "Schedule type"},
        "Version": VERSION,
        **{name: value for name, value in made["modules"].items() if name.startswith("Module")},
    }
    facts |= {name: text for name, text in made["hires_prompts"].items() if name in facts}
    prompts = made["all_prompts"]
    prompt = prompts[place] if place < len(prompts) else made["prompt"]
    negative = f"\nNegative prompt: {made['negative_prompt']}" if made["negative_prompt"] else ""
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in facts.items() if value is not None)
    return f"{prompt}{negative}\n{line}".strip()


def _variation(made: dict[str, Any], place: int) -> dict[str, Any]:
    """Return the variation seed and the size of the seed's noise, if they have an effect."""
    values: dict[str, Any] = {}
    if made["subseed_strength"]:
        seeds = made["all_subseeds"]
        values["Variation seed"] = seeds[place] if place < len(seeds) else made["subseed"]
        values["Variation seed strength"] = made["subseed_strength"]
    size = (made["seed_resize_from_w"] or 0, made["seed_resize_from_h"] or 0)
    if min(size) > 0:
        values["Seed resize from"] = f"{size[0]}x{size[1]}"
    return values


def info(made: dict[str, Any]) -> str:
    """Return `info`, a JSON string inside the JSON response, which says that there is no diffusion model."""
    shown = {name: value for name, value in made.items() if name not in NOT_IN_INFO}
    return json.dumps({**shown, "version": VERSION, "fake_webui": DISCLAIMER})


def parse(text: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """Parse an infotext into parameters, with the defaults that Web UI adds."""
    lines = text.strip().split("\n")
    facts: dict[str, Any] = {}
    if len(PARAMETER.findall(lines[-1])) >= 3:  # fewer can be a prompt with colons
        for name, raw in PARAMETER.findall(lines.pop()):
            value = json.loads(raw) if raw.startswith('"') else raw
            if size := SIZE.match(value):
                facts[f"{name}-1"], facts[f"{name}-2"] = size.groups()
            elif name != "Model":
                facts[name] = value
    prompt, _, negative = "\n".join(lines).partition("\nNegative prompt: ")
    if text:
        facts |= {"Prompt": prompt, "Negative prompt": negative}
    return {**facts, **{name: value for name, value in defaults.items() if name not in facts}}


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if "," in text or ":" in text else text
