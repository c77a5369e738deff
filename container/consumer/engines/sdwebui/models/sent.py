"""Rename models in a content to the names under which SD Web UI lists them."""

from collections.abc import Iterable
from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, without_hash
from container.consumer.engines.sdwebui.models.resolver import Found, wrong_hash
from container.consumer.model_store.integrity import old_hash_of
from runtimes.sdwebui.mention import NO_VAE, SCRIPTS, as_object
from runtimes.sdwebui.model_names import Kind, split_hash, webui_name
from runtimes.sdwebui.named_models import copy_containers, rename_models

_VAE = "sd_vae"
_MODULES = "forge_additional_modules"


def content_to_send(
    content: dict[str, Any], found: Iterable[Found], lists: EngineModelLists
) -> dict[str, Any]:
    """Return a copy of a content with names that SD Web UI finds; raise PermanentError for a wrong hash.

    Call this when the files are on the volume.
    """
    names = {
        (one.need.kind, one.need.name): name_to_send(one, lists) for one in found if not one.need.by_index
    }
    sent = rename_models(content, names)
    if any(_VAE in settings or _MODULES in settings for settings in _settings(sent)) and lists.is_forge:
        sent = vae_as_module(sent)
    return sent


def name_to_send(one: Found, lists: EngineModelLists) -> str:
    """Return the name under which SD Web UI finds a model."""
    if one.need.kind is not Kind.CONTROLNET:
        # `name` is the file with the weights; SD Web UI lists the upscaler by the required name.
        return one.need.name if one.need.kind is Kind.UPSCALER else webui_name(one.need.kind, one.name)
    # Forge only finds the exact `name [hash]`, and responds 200 to any other name.
    stem = without_hash(Kind.CONTROLNET, webui_name(Kind.CONTROLNET, one.name))
    digits = old_hash_of(one.path) if one.path is not None and one.path.is_file() else ""
    for entry in lists.named(Kind.CONTROLNET) or ():
        if without_hash(Kind.CONTROLNET, entry.name) == stem:
            _, listed = split_hash(Kind.CONTROLNET, entry.name) or ("", "")
            if one.hash not in ("", listed, digits):
                raise wrong_hash(one)
            return entry.name
    if one.hash not in ("", digits):
        raise wrong_hash(one)
    return f"{stem} [{digits}]" if digits else one.name


def vae_as_module(content: dict[str, Any]) -> dict[str, Any]:
    """Return a content with its `sd_vae` as one of Forge's modules, because Forge ignores the option.

    `None` and `Automatic` mean the checkpoint's own VAE, which Forge uses by default.
    """
    sent: dict[str, Any] = copy_containers(content)
    own, routed, scripts = _settings(sent)
    named = [settings.pop(_VAE) for settings in (scripts, routed, own) if settings.get(_VAE)]
    for settings in (scripts, routed, own):
        settings.pop(_VAE, None)
    modules = routed.pop(_MODULES, own.pop(_MODULES, None))
    if isinstance(modules, str):  # Forge reads a list, and ignores a text
        modules = [modules]
    if named and named[0] not in NO_VAE:
        modules = [named[0], *(one for one in modules or () if one != named[0])]
    if modules is not None:
        sent["override_settings"] = own | {_MODULES: modules}
    return sent


def _settings(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the task's own settings, those of the routing key, and the routing keys themselves."""
    scripts = as_object(content.get(SCRIPTS))
    return as_object(content.get("override_settings")), as_object(scripts.get("override_settings")), scripts
