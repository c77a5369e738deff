"""Check names in a content against SD Web UI's lists: correct them, or fail the task with the nearest name.

SD Web UI replaces unknown names by its default, or ignores them, and responds 200.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue, same_name, unknown
from container.consumer.engines.sdwebui.samplers import (
    SamplerMatch,
    find_sampler,
    find_scheduler,
    sampler_names,
    scheduler_names,
)
from domain.body import pointer
from domain.errors import ErrorCode, Fault, PermanentError
from runtimes.sdwebui.findings import Findings
from runtimes.sdwebui.policy import ROUTING_KEYS
from runtimes.sdwebui.prompt_networks import network_tags
from runtimes.sdwebui.task_type import TaskType

Content = dict[str, Any]

_TABS: Final = {TaskType.TEXT_TO_IMAGE: "txt2img", TaskType.IMAGE_TO_IMAGE: "img2img"}
_MAX_FAULTS_SHOWN: Final = 5
_NO_EFFECT: Final = "without effect: SD Web UI Forge takes it and paints as without it"
_WITHOUT_EFFECT: Final = ("tiling", "sd_vae_encode_method")
_SAME: Final = frozenset(
    {"Use same sampler", "Use same scheduler", "ADetailer use same sampler", "ADetailer use same scheduler"}
)


def resolve_names(tasktype: TaskType, content: Content, catalogue: Catalogue) -> tuple[Content, list[Fault]]:
    """Return the content with every name as SD Web UI lists it, and a list of what was changed.

    Raise PermanentError for names that SD Web UI does not know, and RetryableError if it does not respond.
    """
    names = _Names(content, catalogue)
    names.upscalers()
    if tasktype.generates:
        names.samplers()
        names.styles()
        names.settings()
        names.without_effect()
        names.scripts(_TABS[tasktype])
    if names.found.faults:
        shown = names.found.faults[:_MAX_FAULTS_SHOWN]
        text = "; ".join(f"{fault.path}: {fault.message}" for fault in shown)
        raise PermanentError(ErrorCode.INVALID_CONTENT, text)
    return names.content, names.found.warnings


class _Names:
    def __init__(self, content: Content, catalogue: Catalogue) -> None:
        self.content = dict(content)
        self.found = Findings()
        self._catalogue = catalogue

    def upscalers(self) -> None:
        """Correct the case of upscalers; unknown ones are looked up among the models."""
        fields = ["upscaler_1", "upscaler_2", *(["hr_upscaler"] if self.content.get("enable_hr") else [])]
        for field in fields:
            if _is_name(self.content.get(field)):
                self._correct(self.content, field, f"/{field}", self._catalogue.upscalers)

    def samplers(self) -> None:
        field = "sampler_name" if self.content.get("sampler_name") else "sampler_index"
        self._sampler(self.content, field, "", goes_to="sampler_name", scheduler="scheduler")
        self._scheduler(self.content, "scheduler", "")
        if self.content.get("enable_hr"):
            self._sampler(
                self.content, "hr_sampler_name", "", goes_to="hr_sampler_name", scheduler="hr_scheduler"
            )
            self._scheduler(self.content, "hr_scheduler", "")

    def styles(self) -> None:
        named = self.content.get("styles")
        listed = self._catalogue.styles()
        if not isinstance(named, list) or not named or listed is None:
            return
        self.content["styles"] = named = list(named)
        for index, name in enumerate(named):
            path = f"/styles/{index}"
            self._correct(named, index, path, self._style_names, "style")
            if self.content.get("disable_extra_networks") and self._names_networks(name):
                self.found.fault(
                    path, f"the style '{name}' names networks, and disable_extra_networks is true"
                )

    def settings(self) -> None:
        known = self._catalogue.settings()
        scripts = self.content.get("alwayson_scripts")
        holders = [("", self.content)]
        if isinstance(scripts, dict):
            scripts = self.content["alwayson_scripts"] = dict(scripts)
            holders.append(("/alwayson_scripts", scripts))
        for path, holder in holders:
            settings = holder.get("override_settings")
            if not isinstance(settings, dict):
                continue
            settings = holder["override_settings"] = dict(settings)
            for name in list(settings):
                if known is not None and name not in known:
                    self._unknown_setting(settings, name, f"{path}/override_settings/{pointer(name)}")
            self._face_restorer(settings, f"{path}/override_settings")

    def without_effect(self) -> None:
        """Warn about settings that Forge accepts and even reports in its infotext, but does not apply."""
        if "forge_additional_modules" not in (self._catalogue.settings() or ()):
            return
        if self.content.get("tiling"):
            self.found.warn("/tiling", _NO_EFFECT)
        scripts: Any = self.content.get("alwayson_scripts")
        holders = (("", self.content), ("/alwayson_scripts", scripts if isinstance(scripts, dict) else {}))
        for path, holder in holders:
            settings: Any = holder.get("override_settings")
            for name in _WITHOUT_EFFECT if isinstance(settings, dict) else ():
                if settings.get(name) not in (None, False, "Full"):
                    self.found.warn(f"{path}/override_settings/{name}", _NO_EFFECT)

    def scripts(self, tab: str) -> None:
        name = self.content.get("script_name")
        if _is_name(name):
            self._script("/script_name", str(name), tab)
            self._arguments("/script_args", str(name), self.content.get("script_args"), tab, whole=True)
        scripts: Any = self.content.get("alwayson_scripts")
        for name, entry in list(scripts.items()) if isinstance(scripts, dict) else ():
            if name in ROUTING_KEYS:
                continue
            path = f"/alwayson_scripts/{pointer(name)}"
            self._script(path, name, tab)
            arguments = entry.get("args") if isinstance(entry, dict) else None
            self._arguments(f"{path}/args", name, arguments, tab, whole=False)
            if isinstance(arguments, list) and name.lower() in ("controlnet", "adetailer"):
                units = [dict(unit) if isinstance(unit, dict) else unit for unit in arguments]
                scripts[name] = {**entry, "args": units}
                for index, unit in enumerate(units):
                    if isinstance(unit, dict):
                        self._unit(name.lower(), unit, f"{path}/args/{index}")

    def _unit(self, script: str, unit: Content, path: str) -> None:
        if script == "controlnet":
            if _is_name(unit.get("module")):
                self._correct(unit, "module", f"{path}/module", self._catalogue.preprocessors, "preprocessor")
        elif unit.get("ad_use_sampler"):
            self._sampler(unit, "ad_sampler", path, goes_to="ad_sampler", scheduler="ad_scheduler")
            self._scheduler(unit, "ad_scheduler", path)

    def _sampler(self, holder: Content, field: str, path: str, *, goes_to: str, scheduler: str) -> None:
        name = holder.get(field)
        if name in _SAME:
            holder |= {field: None} if path == "" else {}
            return
        if not _is_name(name) or self._catalogue.samplers() is None:
            return
        meant = self._catalogue.lookup(lambda catalogue: find_sampler(str(name), catalogue))
        if meant is None:
            self.found.fault(f"{path}/{field}", unknown("sampler", str(name), sampler_names(self._catalogue)))
        elif not meant.exact or meant.scheduler is not None:
            # A sampler with its scheduler in one name is an old form; it is sent as two names.
            holder[goes_to] = meant.sampler
            if meant.scheduler is not None and not _is_name(holder.get(scheduler)):
                holder[scheduler] = meant.scheduler
            if not meant.exact:
                self.found.warn(f"{path}/{field}", f"taken as {_shown(meant)}")

    def _scheduler(self, holder: Content, field: str, path: str) -> None:
        name = holder.get(field)
        if name in _SAME:
            holder |= {field: None} if path == "" else {}
            return
        if not _is_name(name) or self._catalogue.schedulers() is None:
            return
        meant = self._catalogue.lookup(lambda catalogue: find_scheduler(str(name), catalogue))
        if meant is None:
            listed = scheduler_names(self._catalogue)
            self.found.fault(f"{path}/{field}", unknown("scheduler", str(name), listed))
        elif not meant.exact:
            holder[field] = meant.sampler
            self.found.warn(f"{path}/{field}", f"taken as {meant.sampler}")

    def _correct(
        self,
        holder: Any,
        key: str | int,
        path: str,
        listed: Callable[[], list[str] | None],
        what: str = "",
    ) -> None:
        """Replace a name by its listed form; if `what` is given, a name that is not listed is a fault."""
        name = str(holder[key])
        if listed() is None:
            return
        same = self._catalogue.lookup(lambda _: same_name(name, listed() or []))
        if same is None:
            if what:
                self.found.fault(path, unknown(what, name, listed() or []))
        elif same != name:
            holder[key] = same
            self.found.warn(path, f"taken as {same}")

    def _style_names(self) -> list[str]:
        return [entry["name"] for entry in self._catalogue.styles() or ()]

    def _names_networks(self, style: str) -> bool:
        texts = (
            entry.get(key)
            for entry in self._catalogue.styles() or ()
            if _same(entry["name"], style)
            for key in ("prompt", "negative_prompt")
        )
        return any(isinstance(text, str) and any(network_tags(text)) for text in texts)

    def _unknown_setting(self, settings: Content, name: str, path: str) -> None:
        if settings[name] in (None, "", [], "None", "Automatic"):
            del settings[name]
            self.found.warn(path, "left out: this SD Web UI has no such setting")
        else:
            self.found.fault(path, "this SD Web UI has no such setting; leave it out")

    def _face_restorer(self, settings: Content, path: str) -> None:
        if _is_name(settings.get("face_restoration_model")):
            field = "face_restoration_model"
            self._correct(settings, field, f"{path}/{field}", self._catalogue.face_restorers, "face restorer")

    def _script(self, path: str, name: str, tab: str) -> None:
        if self._catalogue.scripts(tab) is None:
            return
        known = self._catalogue.lookup(lambda one: name.lower() in (one.scripts(tab) or ()) or None)
        if known is None:
            self.found.fault(path, unknown(f"{tab} script", name, self._catalogue.scripts(tab) or []))

    def _arguments(self, path: str, name: str, arguments: Any, tab: str, *, whole: bool) -> None:
        """Check the number of a script's arguments: SD Web UI ignores surplus ones and shifts others."""
        labels = self._catalogue.arguments(tab, name.lower())
        given = arguments if isinstance(arguments, list) else []
        if labels is None or len(given) == len(labels) or (len(given) < len(labels) and not whole):
            return
        expected = ", ".join(_labels(labels))
        self.found.fault(path, f"{name} takes {len(labels)} arguments, not {len(given)}: {expected}")


def _same(name: str, other: str) -> bool:
    return same_name(name, [other]) is not None


def _labels(labels: list[str]) -> Iterator[str]:
    return (label or "(no label)" for label in labels)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _shown(meant: SamplerMatch) -> str:
    return meant.sampler if meant.scheduler is None else f"{meant.sampler} with scheduler {meant.scheduler}"
