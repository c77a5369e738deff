"""Check names in a content against SD Web UI's lists: correct them, or fail the task with the nearest name.

SD Web UI replaces unknown names by its default, or ignores them, and responds 200.
"""

from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.named_scripts import ScriptNames
from container.consumer.engines.sdwebui.named_styles import StyleNames
from container.consumer.engines.sdwebui.names import Content, Names, is_name
from container.consumer.engines.sdwebui.styles import NO_STYLES, BucketStyles
from domain.body import pointer
from domain.errors import ErrorCode, Fault, PermanentError
from domain.limits import DEFAULT_LIMITS, Limits
from runtimes.sdwebui.task_type import TaskType

TABS: Final = {TaskType.TEXT_TO_IMAGE: "txt2img", TaskType.IMAGE_TO_IMAGE: "img2img"}
_MAX_FAULTS_SHOWN: Final = 5
_NO_EFFECT: Final = "without effect: SD Web UI Forge takes it and paints as without it"
_OF_FORGE: Final = ("distilled_cfg_scale", "hr_distilled_cfg", "hr_cfg", "hr_additional_modules")
"""Fields that AUTOMATIC1111 does not have; all but the first belong to hires fix."""
_WITHOUT_EFFECT: Final = ("tiling", "sd_vae_encode_method")


def resolve_names(
    tasktype: TaskType,
    content: Content,
    catalogue: Catalogue,
    styles: BucketStyles = NO_STYLES,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Content, list[Fault]]:
    """Return the content with every name as SD Web UI lists it, and a list of what was changed.

    Raise PermanentError for names that SD Web UI does not know, and RetryableError if it does not respond.
    """
    names = Names(catalogue)
    fields = _Fields(content, names)
    fields.upscalers()
    if tasktype.generates:
        fields.samplers()
        StyleNames(fields.content, names, styles, limits).check()
        fields.settings()
        fields.without_effect()
        ScriptNames(fields.content, names, TABS[tasktype]).check()
    if names.found.faults:
        shown = names.found.faults[:_MAX_FAULTS_SHOWN]
        text = "; ".join(f"{fault.path}: {fault.message}" for fault in shown)
        raise PermanentError(ErrorCode.INVALID_CONTENT, text)
    return fields.content, names.found.warnings


class _Fields:
    def __init__(self, content: Content, names: Names) -> None:
        self.content = dict(content)
        self.found = names.found
        self._names = names
        self._catalogue = names.catalogue

    def upscalers(self) -> None:
        """Correct the case of upscalers; unknown ones are looked up among the models."""
        fields = ["upscaler_1", "upscaler_2", *(["hr_upscaler"] if self.content.get("enable_hr") else [])]
        for field in fields:
            if is_name(self.content.get(field)):
                self._names.correct(self.content, field, f"/{field}", self._catalogue.upscalers)

    def samplers(self) -> None:
        field = "sampler_name" if self.content.get("sampler_name") else "sampler_index"
        self._names.sampler(self.content, field, "", goes_to="sampler_name", scheduler="scheduler")
        self._names.scheduler(self.content, "scheduler", "")
        if self.content.get("enable_hr"):
            self._names.sampler(
                self.content, "hr_sampler_name", "", goes_to="hr_sampler_name", scheduler="hr_scheduler"
            )
            self._names.scheduler(self.content, "hr_scheduler", "")

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
        """Warn about settings that Forge accepts and even reports in its infotext, but does not apply.

        AUTOMATIC1111 ignores the fields that only Forge has.
        """
        known = self._catalogue.settings()
        if known is None:
            return
        if "forge_additional_modules" not in known:
            for name in _OF_FORGE if self.content.get("enable_hr") else _OF_FORGE[:1]:
                if self.content.get(name):
                    self.found.warn(f"/{name}", "without effect: only SD Web UI Forge has this field")
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

    def _unknown_setting(self, settings: Content, name: str, path: str) -> None:
        if settings[name] in (None, "", [], "None", "Automatic"):
            del settings[name]
            self.found.warn(path, "left out: this SD Web UI has no such setting")
        else:
            self.found.fault(path, "this SD Web UI has no such setting; leave it out")

    def _face_restorer(self, settings: Content, path: str) -> None:
        if is_name(settings.get("face_restoration_model")):
            field = "face_restoration_model"
            self._names.correct(
                settings, field, f"{path}/{field}", self._catalogue.face_restorers, "face restorer"
            )
