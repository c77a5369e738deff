"""What SD Web UI says that it used, held against what was asked."""

from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.samplers import meant_sampler

_ANY_VAE: Final = frozenset({"", "None", "Automatic", "auto"})


def asked_sampler(content: dict[str, Any], catalogue: Catalogue) -> str | None:
    """Return the sampler that `info` must name, None where any is right: a script may choose its own."""
    name = content.get("sampler_name") or content.get("sampler_index")
    if not isinstance(name, str) or content.get("script_name") or catalogue.samplers() is None:
        return None
    meant = meant_sampler(name, catalogue)
    return meant.sampler if meant else None


def otherwise(content: dict[str, Any], sampler: str | None, info: dict[str, Any]) -> str | None:
    """Return what was used instead of what the task asked for, None where nothing was."""
    used = info.get("sampler_name")
    if sampler is not None and isinstance(used, str) and used != sampler:
        return f"SD Web UI used the sampler {used} instead of {sampler}."
    vae, used = _asked_vae(content), info.get("sd_vae_name")
    if vae is not None and isinstance(used, str) and PurePosixPath(used).stem != PurePosixPath(vae).stem:
        return f"SD Web UI used the VAE {used} instead of {vae}."
    return None


def _asked_vae(content: dict[str, Any]) -> str | None:
    scripts = content.get("alwayson_scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    routed, own = scripts.get("override_settings"), content.get("override_settings")
    for settings in (scripts, routed, own):
        name = settings.get("sd_vae") if isinstance(settings, dict) else None
        if isinstance(name, str) and name:
            return None if name in _ANY_VAE else name
    return None
