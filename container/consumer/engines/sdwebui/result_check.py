"""Compare the sampler, VAE and modules that SD Web UI reports to have used with what the task asked for.

SD Web UI replaces what it does not find, and responds 200.
"""

import re
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.samplers import find_sampler

_DEFAULT_VAE: Final = frozenset({None, "", "None", "Automatic", "auto"})
_NO_MODULE: Final = frozenset({"", "None", "Use same choices", "Built in"})
_MODULE_IN_INFOTEXT: Final = re.compile(r"(?<!Hires )Module [0-9]{1,3}: (\"[^\"\n]*\"|[^,\n]+)")
"""The infotext that Forge writes for each module that it applied."""


def expected_sampler(content: dict[str, Any], catalogue: Catalogue) -> str | None:
    """Return the sampler that the response's `info` must name, or None if a script may choose another one."""
    name = content.get("sampler_name") or content.get("sampler_index")
    if not isinstance(name, str) or content.get("script_name") or catalogue.samplers() is None:
        return None
    match = find_sampler(name, catalogue)
    return match.name if match else None


def find_substitution(content: dict[str, Any], sampler: str | None, info: dict[str, Any]) -> str | None:
    """Return a text saying what was used instead of what the task asked for, or None if nothing was.

    `info` is the object of that name in SD Web UI's response; `sampler` is None if any sampler is right.
    """
    used_sampler = info.get("sampler_name")
    if sampler is not None and isinstance(used_sampler, str) and used_sampler != sampler:
        return f"SD Web UI used the sampler {used_sampler} instead of {sampler}."
    vae, used_vae = _requested_value("sd_vae", content), info.get("sd_vae_name")
    is_required = vae not in _DEFAULT_VAE and isinstance(vae, str)
    if is_required and isinstance(used_vae, str) and _stem(used_vae) != _stem(vae):
        return f"SD Web UI used the VAE {used_vae} instead of {vae}."
    texts = info.get("infotexts")
    if isinstance(texts, list) and texts and isinstance(texts[0], str):
        applied = {stem.strip('"') for stem in _MODULE_IN_INFOTEXT.findall(texts[0])}
        for name in _requested_value("forge_additional_modules", content) or ():
            if name not in _NO_MODULE and _stem(name) not in applied:
                return f"SD Web UI did not use the module {name}."
    return None


def _requested_value(setting: str, content: dict[str, Any]) -> Any:
    """Return the value of a setting in a task; of several places, the one that the request is built from."""
    scripts = content.get("alwayson_scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    for settings in (scripts, scripts.get("override_settings"), content.get("override_settings")):
        if isinstance(settings, dict) and settings.get(setting):
            return settings[setting]
    return None


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
