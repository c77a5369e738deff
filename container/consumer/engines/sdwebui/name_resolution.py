"""Check the names in a task's content (samplers, styles, scripts, settings) against SD Web UI's lists.

A name that is only spelled differently is corrected; for an unknown one, the task fails and the error
suggests the nearest name. This is needed because SD Web UI replaces unknown names by its default, or ignores
them, and responds 200.
"""

from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.name_corrector import Content, NameCorrector, is_name
from container.consumer.engines.sdwebui.script_names import ScriptNameChecker
from container.consumer.engines.sdwebui.style_names import StyleChecker
from container.consumer.engines.sdwebui.styles import NO_STYLES, BucketStyles
from domain.body import pointer
from domain.errors import ErrorCode, Fault, PermanentError
from domain.limits import DEFAULT_LIMITS, Limits
from runtimes.sdwebui.task_type import TaskType

TABS: Final = {TaskType.TEXT_TO_IMAGE: "txt2img", TaskType.IMAGE_TO_IMAGE: "img2img"}
_MAX_FAULTS_SHOWN: Final = 5
_NO_EFFECT: Final = "without effect: SD Web UI Forge accepts it, but generates the same image without it"
_FORGE_FIELDS: Final = ("distilled_cfg_scale", "hr_distilled_cfg", "hr_cfg", "hr_additional_modules")
"""Fields that AUTOMATIC1111 does not have; all but the first belong to hires fix."""
_SETTINGS_WITHOUT_EFFECT: Final = ("tiling", "sd_vae_encode_method")


def resolve_names(
    tasktype: TaskType,
    content: Content,
    catalogue: Catalogue,
    styles: BucketStyles = NO_STYLES,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Content, list[Fault]]:
    """Return the content with every name as SD Web UI lists it, and a warning for each change.

    Raise PermanentError for names that SD Web UI does not know, and RetryableError if it does not respond.
    """
    corrector = NameCorrector(catalogue)
    checker = _FieldChecker(content, corrector)
    checker.correct_upscalers()
    if tasktype.generates:
        checker.correct_samplers()
        StyleChecker(checker.content, corrector, styles, limits).check()
        checker.check_settings()
        checker.warn_of_settings_without_effect()
        ScriptNameChecker(checker.content, corrector, TABS[tasktype]).check()
    findings = corrector.findings
    if findings.faults:
        text = "; ".join(f"{fault.path}: {fault.message}" for fault in findings.faults[:_MAX_FAULTS_SHOWN])
        raise PermanentError(ErrorCode.INVALID_CONTENT, text)
    return checker.content, findings.warnings


class _FieldChecker:
    def __init__(self, content: Content, corrector: NameCorrector) -> None:
        self.content = dict(content)
        self._findings = corrector.findings
        self._corrector = corrector
        self._catalogue = corrector.catalogue

    def correct_upscalers(self) -> None:
        """Correct the spelling of upscalers; unknown ones are refused later, when models are resolved."""
        fields = ["upscaler_1", "upscaler_2", *(["hr_upscaler"] if self.content.get("enable_hr") else [])]
        for field in fields:
            if is_name(self.content.get(field)):
                self._corrector.correct(self.content, field, f"/{field}", self._catalogue.upscalers)

    def correct_samplers(self) -> None:
        field = "sampler_name" if self.content.get("sampler_name") else "sampler_index"
        self._corrector.correct_sampler(
            self.content, field, "", target_field="sampler_name", scheduler_field="scheduler"
        )
        self._corrector.correct_scheduler(self.content, "scheduler", "")
        if self.content.get("enable_hr"):
            self._corrector.correct_sampler(
                self.content,
                "hr_sampler_name",
                "",
                target_field="hr_sampler_name",
                scheduler_field="hr_scheduler",
            )
            self._corrector.correct_scheduler(self.content, "hr_scheduler", "")

    def check_settings(self) -> None:
        known_settings = self._catalogue.settings()
        scripts = self.content.get("alwayson_scripts")
        # Requests in the format of sd-on-eks, the predecessor, have settings among the scripts, too.
        containers = [("", self.content)]
        if isinstance(scripts, dict):
            scripts = self.content["alwayson_scripts"] = dict(scripts)
            containers.append(("/alwayson_scripts", scripts))
        for path, container in containers:
            settings = container.get("override_settings")
            if not isinstance(settings, dict):
                continue
            settings = container["override_settings"] = dict(settings)
            for name in list(settings):
                if known_settings is not None and name not in known_settings:
                    self._report_unknown_setting(settings, name, f"{path}/override_settings/{pointer(name)}")
            self._correct_face_restorer(settings, f"{path}/override_settings")

    def warn_of_settings_without_effect(self) -> None:
        """Warn about settings that Forge accepts and even reports in its infotext, but does not apply.

        AUTOMATIC1111 ignores the fields that only Forge has.
        """
        known_settings = self._catalogue.settings()
        if known_settings is None:
            return
        if "forge_additional_modules" not in known_settings:  # AUTOMATIC1111
            for name in _FORGE_FIELDS if self.content.get("enable_hr") else _FORGE_FIELDS[:1]:
                if self.content.get(name):
                    self._findings.warn(f"/{name}", "without effect: only SD Web UI Forge has this field")
            return
        if self.content.get("tiling"):
            self._findings.warn("/tiling", _NO_EFFECT)
        scripts: Any = self.content.get("alwayson_scripts")
        containers = (("", self.content), ("/alwayson_scripts", scripts if isinstance(scripts, dict) else {}))
        for path, container in containers:
            settings: Any = container.get("override_settings")
            for name in _SETTINGS_WITHOUT_EFFECT if isinstance(settings, dict) else ():
                if settings.get(name) not in (None, False, "Full"):
                    self._findings.warn(f"{path}/override_settings/{name}", _NO_EFFECT)

    def _report_unknown_setting(self, settings: Content, name: str, path: str) -> None:
        if settings[name] in (None, "", [], "None", "Automatic"):
            del settings[name]
            self._findings.warn(path, "left out: this SD Web UI has no such setting")
        else:
            self._findings.fault(path, "this SD Web UI has no such setting; leave it out")

    def _correct_face_restorer(self, settings: Content, path: str) -> None:
        if is_name(settings.get("face_restoration_model")):
            field = "face_restoration_model"
            self._corrector.correct(
                settings, field, f"{path}/{field}", self._catalogue.face_restorers, "face restorer"
            )
