"""Check the scripts in a content against those of SD Web UI, and the names in their arguments."""

from typing import Any

from container.consumer.engines.sdwebui.catalogue import unknown_name_text
from container.consumer.engines.sdwebui.name_corrector import Content, NameCorrector, is_name
from domain.body import pointer
from runtimes.sdwebui.policy import ROUTING_KEYS
from runtimes.sdwebui.redundant_scripts import is_switched_off


class ScriptNameChecker:
    """Checks the scripts of one content for one tab of SD Web UI, `txt2img` or `img2img`."""

    def __init__(self, content: Content, corrector: NameCorrector, tab: str) -> None:
        self.content = content
        self._corrector = corrector
        self._findings = corrector.findings
        self._catalogue = corrector.catalogue
        self._tab = tab

    def check(self) -> None:
        """Correct names in place; a script that SD Web UI lacks is removed if it is switched off anyway."""
        name = self.content.get("script_name")
        if is_name(name):
            self._check_script("/script_name", str(name))
            self._check_argument_count(
                "/script_args", str(name), self.content.get("script_args"), all_required=True
            )
        scripts: Any = self.content.get("alwayson_scripts")
        if not isinstance(scripts, dict):
            return
        scripts = self.content["alwayson_scripts"] = dict(scripts)
        for name, entry in list(scripts.items()):
            if name in ROUTING_KEYS:
                continue
            path = f"/alwayson_scripts/{pointer(name)}"
            if not self._has_script(name) and is_switched_off(entry):
                del scripts[name]
                self._findings.warn(path, f"left out, because it is off: {self._unknown_script_text(name)}")
                continue
            self._check_script(path, name)
            arguments = entry.get("args") if isinstance(entry, dict) else None
            self._check_argument_count(f"{path}/args", name, arguments, all_required=False)
            if isinstance(arguments, list) and name.lower() in ("controlnet", "adetailer"):
                units = [dict(unit) if isinstance(unit, dict) else unit for unit in arguments]
                scripts[name] = {**entry, "args": units}
                for index, unit in enumerate(units):
                    if isinstance(unit, dict):
                        self._correct_unit(name.lower(), unit, f"{path}/args/{index}")

    def _correct_unit(self, script: str, unit: Content, path: str) -> None:
        if script == "controlnet":
            if is_name(unit.get("module")):
                self._corrector.correct(
                    unit, "module", f"{path}/module", self._catalogue.preprocessors, "preprocessor"
                )
        elif unit.get("ad_use_sampler"):
            self._corrector.correct_sampler(
                unit, "ad_sampler", path, target_field="ad_sampler", scheduler_field="ad_scheduler"
            )
            self._corrector.correct_scheduler(unit, "ad_scheduler", path)

    def _has_script(self, name: str) -> bool:
        if self._catalogue.scripts(self._tab) is None:
            return True
        # None instead of False makes `lookup` read the list again.
        return bool(
            self._catalogue.lookup(
                lambda catalogue: name.lower() in (catalogue.scripts(self._tab) or ()) or None
            )
        )

    def _check_script(self, path: str, name: str) -> None:
        if not self._has_script(name):
            self._findings.fault(path, self._unknown_script_text(name))

    def _unknown_script_text(self, name: str) -> str:
        return unknown_name_text(f"{self._tab} script", name, self._catalogue.scripts(self._tab) or [])

    def _check_argument_count(self, path: str, name: str, arguments: Any, *, all_required: bool) -> None:
        """Report a wrong number of arguments: SD Web UI ignores surplus ones and shifts others.

        Always-on scripts have defaults for missing arguments; `all_required` is for a script that has none.
        """
        labels = self._catalogue.arguments(self._tab, name.lower())
        given = arguments if isinstance(arguments, list) else []
        if labels is None or len(given) == len(labels) or (len(given) < len(labels) and not all_required):
            return
        expected = ", ".join(label or "(no label)" for label in labels)
        self._findings.fault(path, f"{name} takes {len(labels)} arguments, not {len(given)}: {expected}")
