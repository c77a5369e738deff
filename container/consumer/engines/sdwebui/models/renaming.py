"""Rename the models in a task's content to the names under which SD Web UI finds them."""

from collections.abc import Iterable
from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, remove_hash
from container.consumer.engines.sdwebui.models.resolver import ResolvedModel, wrong_hash
from container.consumer.model_store.integrity import old_hash_of
from runtimes.sdwebui.mention import NO_VAE, SCRIPTS, as_object
from runtimes.sdwebui.model_names import Kind, split_hash, webui_name
from runtimes.sdwebui.named_models import copy_containers, rename_models

_VAE = "sd_vae"
_MODULES = "forge_additional_modules"


def content_to_send(
    content: dict[str, Any], models: Iterable[ResolvedModel], lists: EngineModelLists
) -> dict[str, Any]:
    """Return a copy of the content with names that SD Web UI finds; raise PermanentError for a wrong hash.

    The files must be on the volume already, because their hashes are read.
    """
    names = {
        (model.requirement.kind, model.requirement.name): name_to_send(model, lists)
        for model in models
        if not model.requirement.is_by_index
    }
    renamed = rename_models(content, names)
    names_vae = any(_VAE in settings or _MODULES in settings for settings in _settings(renamed))
    return vae_as_module(renamed) if names_vae and lists.is_forge else renamed


def name_to_send(model: ResolvedModel, lists: EngineModelLists) -> str:
    """Return the name under which SD Web UI finds a model."""
    if model.requirement.kind is not Kind.CONTROLNET:
        # An upscaler's `name` is the file with its weights; SD Web UI lists it by the name in the task.
        return (
            model.requirement.name
            if model.requirement.kind is Kind.UPSCALER
            else webui_name(model.requirement.kind, model.name)
        )
    # Forge only finds the exact `name [hash]`, and responds 200 to any other name.
    stem = remove_hash(Kind.CONTROLNET, webui_name(Kind.CONTROLNET, model.name))
    file_hash = old_hash_of(model.path) if model.path is not None and model.path.is_file() else ""
    for entry in lists.models(Kind.CONTROLNET) or ():
        if remove_hash(Kind.CONTROLNET, entry.name) == stem:
            _, listed_hash = split_hash(Kind.CONTROLNET, entry.name) or ("", "")
            if model.hash not in ("", listed_hash, file_hash):
                raise wrong_hash(model)
            return entry.name
    if model.hash not in ("", file_hash):
        raise wrong_hash(model)
    return f"{stem} [{file_hash}]" if file_hash else model.name


def vae_as_module(content: dict[str, Any]) -> dict[str, Any]:
    """Return a content with its `sd_vae` as one of Forge's modules, because Forge ignores the option.

    `None` and `Automatic` mean the checkpoint's own VAE, which Forge uses by default.
    """
    changed: dict[str, Any] = copy_containers(content)
    own_settings, script_settings, scripts = _settings(changed)
    # In the order in which they win, which is that of the request to SD Web UI.
    places = (scripts, script_settings, own_settings)
    vaes = [settings.pop(_VAE) for settings in places if settings.get(_VAE)]
    for settings in places:
        settings.pop(_VAE, None)
    modules = script_settings.pop(_MODULES, own_settings.pop(_MODULES, None))
    if isinstance(modules, str):  # Forge reads a list, and ignores a text
        modules = [modules]
    if vaes and vaes[0] not in NO_VAE:
        modules = [vaes[0], *(module for module in modules or () if module != vaes[0])]
    if modules is not None:
        changed["override_settings"] = own_settings | {_MODULES: modules}
    return changed


def _settings(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a task's settings, those among its scripts, and the scripts, which may also name a VAE."""
    scripts = as_object(content.get(SCRIPTS))
    return as_object(content.get("override_settings")), as_object(scripts.get("override_settings")), scripts
