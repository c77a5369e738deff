"""Check each node of a workflow: its class, and the values of its inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from runtimes.comfyui.catalogue import ANY, Catalogue, Input, NodeClass
from runtimes.comfyui.input_files import InputFiles
from runtimes.comfyui.node_values import RANDOM, SEEDS, InvalidValueError, nearest, read, strings
from runtimes.comfyui.options import Options
from runtimes.comfyui.policy import relative_path
from runtimes.comfyui.workflow import is_link, slot
from runtimes.findings import Findings

_UNKNOWN: Final = NodeClass("", (), {})
_LONGEST_SHOWN: Final = 100
_MOST_HINTS: Final = 20
"""How many unknown classes get a hint; each is compared with all names."""


@dataclass(slots=True)
class NodeCheck:
    """Checks the nodes of one workflow; `path` is the JSON pointer of the workflow."""

    options: Options
    catalogue: Catalogue
    files: InputFiles
    found: Findings
    path: str
    prompt_characters: int
    hints: int = 0

    def check(self, prompt: dict[str, Any]) -> None:
        """Put all values into the form that ComfyUI takes; drop inputs that a class does not have."""
        for node, one in prompt.items():
            here = f"{self.path}/{pointer(node)}"
            node_class = self._class(one["class_type"], f"{here}/class_type")
            if node_class is not None:
                one["inputs"] = dict(self._inputs(node_class, one["inputs"], f"{here}/inputs"))

    def _class(self, name: str, path: str) -> NodeClass | None:
        known = self.catalogue.get(name)
        if reason := self.options.refused(name, known):
            self.found.fault(path, f"{name[:_LONGEST_SHOWN]} is not allowed: {reason}")
        elif known is None and name not in self.options.allow:
            self.hints += 1
            near = nearest(name, list(self.catalogue.classes)) if self.hints <= _MOST_HINTS else ""
            self.found.fault(
                path,
                f"there is no node class {name[:_LONGEST_SHOWN]!r} here{near}; the settings can allow "
                "further ones that the image has by their names (nodes.allow)",
            )
        else:
            return known or _UNKNOWN
        return None

    def _inputs(self, node_class: NodeClass, given: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
        custom = node_class is _UNKNOWN
        for name, declared in node_class.inputs.items():
            if declared.required and name not in given:
                self.found.fault(f"{path}/{pointer(name)}", "this input is required")
        for name, value in given.items():
            here = f"{path}/{pointer(name)}"
            kind = Input(ANY, required=False) if custom else node_class.input(name)
            if kind is None:
                self.found.warn(here, f"ignored: {node_class.name} has no such input")
            elif is_link(value):
                if self._may_be_linked(kind, here):
                    yield name, [value[0], slot(value[1])]
            elif value is None and not kind.required:
                self.found.warn(here, "ignored: null is the same as leaving it out")
            else:
                checked = self._value(name, kind, value, here)
                if custom:
                    self._refuse_paths(checked, here)
                if checked is not None:
                    yield name, checked

    def _refuse_paths(self, value: Any, path: str) -> None:
        """Refuse relative paths where no catalogue tells what an input is."""
        if any(relative_path(text) for text in strings(value)):
            text = "the text is a path, and no catalogue describes this class (nodes.catalogue)"
            self.found.fault(path, text)

    def _may_be_linked(self, kind: Input, path: str) -> bool:
        if kind.folder is None and kind.media is None and kind.kind != "path":
            return True
        what = "the name of a model" if kind.folder else "a file"
        self.found.fault(path, f"{what} stands here itself: it cannot come from another node")
        return False

    def _value(self, name: str, kind: Input, value: Any, path: str) -> Any:
        if not kind.takes_values:
            self.found.fault(path, f"a link to a node is expected: [ID, NUMBER] of an output of {kind.kind}")
            return None
        if kind.media is not None:
            return self.files.take(value, path, kind.media)
        try:
            checked = read(name, kind, value)
        except InvalidValueError as error:
            self.found.fault(path, str(error))
            return None
        if isinstance(checked, str) and len(checked) > self.prompt_characters:
            self.found.fault(path, f"at most {self.prompt_characters} characters are allowed")
        if name in SEEDS and checked == RANDOM:
            self.found.warn(path, "a seed is drawn; the task's output document tells it")
        return checked
