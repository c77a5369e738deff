"""Compare what SD Web UI reports to have used with what was asked for."""

import re
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.samplers import find_sampler

_ANY_VAE: Final = frozenset({None, "", "None", "Automatic", "auto"})
_NO_MODULE: Final = frozenset({"", "None", "Use same choices", "Built in"})
_MODULE: Final = re.compile(r"(?<!Hires )Module [0-9]{1,3}: (\"[^\"\n]*\"|[^,\n]+)")
"""The infotext that Forge writes for each module that it applied."""


def expected_sampler(content: dict[str, Any], catalogue: Catalogue) -> str | None:
    """Return the sampler that `info` must name, or None if any is right: a script may choose its own."""
    name = content.get("sampler_name") or content.get("sampler_index")
    if not isinstance(name, str) or content.get("script_name") or catalogue.samplers() is None:
        return None
    choice = find_sampler(name, catalogue)
    return choice.sampler if choice else None


def used_instead(content: dict[str, Any], sampler: str | None, info: dict[str, Any]) -> str | None:
    """Return what was used instead of what the task asked for, or None if nothing was."""
    used = info.get("sampler_name")
    if sampler is not None and isinstance(used, str) and used != sampler:
        return f"SD Web UI used the sampler {used} instead of {sampler}."
    vae, used = _requested_value("sd_vae", content), info.get("sd_vae_name")
    if vae not in _ANY_VAE and isinstance(vae, str) and isinstance(used, str) and _stem(used) != _stem(vae):
        return f"SD Web UI used the VAE {used} instead of {vae}."
    texts = info.get("infotexts")
    if isinstance(texts, list) and texts and isinstance(texts[0], str):
        applied = {stem.strip('"') for stem in _MODULE.findall(texts[0])}
        for name in _requested_value("forge_additional_modules", content) or ():
            if name not in _NO_MODULE and _stem(name) not in applied:
                return f"SD Web UI did not use the module {name}."
    return None


def _requested_value(setting: str, content: dict[str, Any]) -> Any:
    """Return the value of a setting in a task, from the same place as the request takes it."""
    scripts = content.get("alwayson_scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    for settings in (scripts, scripts.get("override_settings"), content.get("override_settings")):
        if isinstance(settings, dict) and settings.get(setting):
            return settings[setting]
    return None


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
