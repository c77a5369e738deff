"""Check the scripts in a content against those of SD Web UI, and the names in their arguments."""

from collections.abc import Iterator
from typing import Any

from container.consumer.engines.sdwebui.catalogue import unknown
from container.consumer.engines.sdwebui.names import Content, Names, is_name
from domain.body import pointer
from runtimes.sdwebui.policy import ROUTING_KEYS
from runtimes.sdwebui.redundant_scripts import is_switched_off


class ScriptNames:
    """Checks the scripts of one content for one tab of SD Web UI, `txt2img` or `img2img`."""

    def __init__(self, content: Content, names: Names, tab: str) -> None:
        self.content = content
        self._names = names
        self._found = names.found
        self._catalogue = names.catalogue
        self._tab = tab

    def check(self) -> None:
        """Correct names in place; scripts that are not there and ask for nothing are left out."""
        name = self.content.get("script_name")
        if is_name(name):
            self._script("/script_name", str(name))
            self._arguments("/script_args", str(name), self.content.get("script_args"), whole=True)
        scripts: Any = self.content.get("alwayson_scripts")
        if not isinstance(scripts, dict):
            return
        scripts = self.content["alwayson_scripts"] = dict(scripts)
        for name, entry in list(scripts.items()):
            if name in ROUTING_KEYS:
                continue
            path = f"/alwayson_scripts/{pointer(name)}"
            if not self._knows_script(name) and is_switched_off(entry):
                del scripts[name]
                self._found.warn(path, f"left out, because it is off: {self._unknown(name)}")
                continue
            self._script(path, name)
            arguments = entry.get("args") if isinstance(entry, dict) else None
            self._arguments(f"{path}/args", name, arguments, whole=False)
            if isinstance(arguments, list) and name.lower() in ("controlnet", "adetailer"):
                units = [dict(unit) if isinstance(unit, dict) else unit for unit in arguments]
                scripts[name] = {**entry, "args": units}
                for index, unit in enumerate(units):
                    if isinstance(unit, dict):
                        self._unit(name.lower(), unit, f"{path}/args/{index}")

    def _unit(self, script: str, unit: Content, path: str) -> None:
        if script == "controlnet":
            if is_name(unit.get("module")):
                self._names.correct(
                    unit, "module", f"{path}/module", self._catalogue.preprocessors, "preprocessor"
                )
        elif unit.get("ad_use_sampler"):
            self._names.sampler(unit, "ad_sampler", path, goes_to="ad_sampler", scheduler="ad_scheduler")
            self._names.scheduler(unit, "ad_scheduler", path)

    def _knows_script(self, name: str) -> bool:
        if self._catalogue.scripts(self._tab) is None:
            return True
        return bool(
            self._catalogue.lookup(lambda one: name.lower() in (one.scripts(self._tab) or ()) or None)
        )

    def _script(self, path: str, name: str) -> None:
        if not self._knows_script(name):
            self._found.fault(path, self._unknown(name))

    def _unknown(self, name: str) -> str:
        return unknown(f"{self._tab} script", name, self._catalogue.scripts(self._tab) or [])

    def _arguments(self, path: str, name: str, arguments: Any, *, whole: bool) -> None:
        """Check the number of a script's arguments: SD Web UI ignores surplus ones and shifts others."""
        labels = self._catalogue.arguments(self._tab, name.lower())
        given = arguments if isinstance(arguments, list) else []
        if labels is None or len(given) == len(labels) or (len(given) < len(labels) and not whole):
            return
        expected = ", ".join(_labels(labels))
        self._found.fault(path, f"{name} takes {len(labels)} arguments, not {len(given)}: {expected}")


def _labels(labels: list[str]) -> Iterator[str]:
    return (label or "(no label)" for label in labels)
