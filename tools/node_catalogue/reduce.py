"""Reduce ComfyUI's description of its node classes to what the checks of workflows read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

KNOWN_INPUTS: Final[dict[str, str]] = json.loads(
    (Path(__file__).parent / "known_inputs.json").read_text(encoding="utf-8")
)
"""Inputs of ComfyUI's own classes that name models and files, as `CLASS.INPUT`; marker files found them."""

_UPLOADS: Final = {
    "image_upload": "file:image",
    "video_upload": "file:video",
    "audio_upload": "file:audio",
    "file_upload": "file:file",
}
_WORDS_OF_PATHS: Final = ("path", "folder", "dir", "file", "url")
_PATH_OPTION: Final = "vhs_path_extensions"
"""VideoHelperSuite's mark of inputs that take a path or URL."""
_VALUES: Final = ("INT", "FLOAT", "STRING", "BOOLEAN")
_ANY: Final = "*"


class Reducer:
    """Collects reduced classes; lists of choices that many classes share are kept once."""

    def __init__(self, markers: Mapping[str, str] | None = None) -> None:
        self._markers = dict(markers or {})
        self.lists: list[list[Any]] = []
        self.classes: dict[str, Json] = {}

    def add(self, object_info: Json, *, custom: bool) -> None:
        """Add the classes of a server; of a class that another server had too, the choices of both count.

        Classes that call paid services are left out, and custom ones unless `custom`.
        """
        for name, facts in sorted(object_info.items()):
            is_custom = str(facts.get("python_module")).startswith("custom_nodes")
            if facts.get("api_node") or (is_custom and not custom):
                continue
            before = self.classes.get(name, {})
            inputs = dict(before.get("inputs", {}))
            for group in ("required", "optional"):
                for one, declared in facts["input"].get(group, {}).items():
                    kind = self._input(f"{name}.{one}", declared, output=bool(facts.get("output_node")))
                    optional = group == "optional" or (bool(before) and one not in before["inputs"])
                    inputs[one] = self._merged(inputs.get(one), _optional(kind) if optional else kind)
                    self._add_widgets(name, declared, inputs)
            outputs = [_type(one) for one in facts.get("output") or ()]
            self.classes[name] = {
                "outputs": max(before.get("outputs", []), outputs, key=len),
                "inputs": inputs,
            }
            if facts.get("output_node"):
                self.classes[name]["output"] = True
            if is_custom or before.get("custom"):
                self.classes[name]["custom"] = True

    def text(self, version: str) -> str:
        """Return the catalogue as JSON, one class a line."""
        lines = [f" {json.dumps(name)}: {_compact(facts)}" for name, facts in sorted(self.classes.items())]
        lists = ",\n ".join(_compact(one) for one in self.lists)
        return (
            f'{{"comfyui": {json.dumps(version)},\n"lists": [\n {lists}],\n"classes": {{\n'
            + ",\n".join(lines)
            + "}}\n"
        )

    def _input(self, name: str, declared: Any, *, output: bool = False) -> Any:
        kind, options = declared[0], declared[1] if len(declared) > 1 else {}
        short = name.rpartition(".")[2]
        choices = options.get("options") if kind == "COMBO" else kind
        found = KNOWN_INPUTS.get(name)
        upload = next((_UPLOADS[flag] for flag in _UPLOADS if options.get(flag)), None)
        if isinstance(choices, list):
            marked = next((self._markers[one] for one in choices if one in self._markers), None)
            return upload or marked or found or (self._choice(choices) if choices else _ANY)
        if upload or found:
            return upload or found
        if kind == "STRING":
            return _text(short, options, output=output)
        if kind in ("INT", "FLOAT"):
            return [kind, options.get("min"), options.get("max")]
        return kind if kind in _VALUES or not _is_dynamic(kind) else _ANY

    def _add_widgets(self, name: str, declared: Any, inputs: Json) -> None:
        """Add inputs that only some choices of another input have, such as a video format's quality.

        VideoHelperSuite describes them in that input's option `formats`. Of an input of several formats, the
        values of all of them are taken.
        """
        formats = declared[1].get("formats") if len(declared) > 1 else None
        for widgets in formats.values() if isinstance(formats, dict) else ():
            for one, *kind in widgets if isinstance(widgets, list) else ():
                widget = kind if len(kind) > 1 and isinstance(kind[1], dict) else [kind[0], {}]
                inputs[one] = self._merged(inputs.get(one), _optional(self._input(f"{name}.{one}", widget)))

    def _choice(self, choices: list[Any]) -> list[Any]:
        if choices not in self.lists:
            self.lists.append(choices)
        return ["choice", self.lists.index(choices)]

    def _merged(self, before: Any, now: Any) -> Any:
        """Return what both versions of an input take."""
        if before is None or before == now:
            return now
        if (
            isinstance(before, list)
            and isinstance(now, list)
            and "choice" in before[0]
            and "choice" in now[0]
        ):
            both = dict.fromkeys([*self.lists[before[1]], *self.lists[now[1]]])
            kind = before[0] if before[0].endswith("?") else now[0]
            return [kind, self._choice(list(both))[1]]
        kinds = {one[0] if isinstance(one, list) else one for one in (before, now)}
        if len({kind.removesuffix("?") for kind in kinds}) == 1 and isinstance(now, list):
            lows, highs = [before[1], now[1]], [before[2], now[2]]
            low = None if None in lows else min(lows)
            high = None if None in highs else max(highs)
            return [max(kinds, key=len), low, high]
        return max(kinds, key=len) if len({kind.removesuffix("?") for kind in kinds}) == 1 else _ANY


def _text(name: str, options: Json, *, output: bool) -> str:
    """Return the kind of a text input: most that name files are known by their names only."""
    if _PATH_OPTION not in options and (name == "filename_prefix" or (output and name == "prefix")):
        return "prefix"
    is_path = _PATH_OPTION in options or any(word in name.lower() for word in _WORDS_OF_PATHS)
    return "path" if is_path else "STRING"


def _optional(kind: Any) -> Any:
    return [f"{kind[0]}?", *kind[1:]] if isinstance(kind, list) else f"{kind}?"


def _type(kind: Any) -> str:
    """Return the type of an output; a list of choices is a COMBO."""
    return kind if isinstance(kind, str) else "COMBO"


def _is_dynamic(kind: Any) -> bool:
    return not isinstance(kind, str) or kind.startswith("COMFY_")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
