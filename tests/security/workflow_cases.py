"""The cases of workflows.yaml, and what the rules and the guard of ComfyUI must make of each."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

import yaml

from domain.limits import DEFAULT_LIMITS
from domain.routing import Runtime
from tests.support.comfyui import image_to_image
from tests.support.workflows import PNG
from tools.node_catalogue.reduce import Reducer

DATA: Final[dict[str, list[Any]]] = yaml.safe_load(
    Path(__file__).with_name("workflows.yaml").read_text("utf-8")
)
OWN_FILE: Final = "own.png"
UPLOADED: Final = "sdoe-ffffffffffffffffffffffffffffffff.png"
FOLDER: Final = "f0f0"
OUTPUT_NODE: Final = "9"
CATALOGUE: Final = "described.json"


@dataclass(frozen=True)
class WorkflowCase:
    """One case; `at` is the JSON pointer, within the workflow, of what must be refused."""

    group: str
    why: str
    changes: dict[str, Any]
    nodes: dict[str, Any]
    allow: tuple[str, ...]
    described: tuple[str, ...]
    at: str

    def workflow(self, *, image: str = OWN_FILE, prefix: str = "cat") -> dict[str, Any]:
        """Return the workflow, with this image and prefix where the case has no other."""
        flow = image_to_image(image)
        flow[OUTPUT_NODE]["inputs"]["filename_prefix"] = prefix
        for node, one in self.nodes.items():
            flow[node] = {"class_type": one["class_type"], "inputs": dict(one["inputs"])}
        for place, value in self.changes.items():
            node, _, name = place.partition(".")
            flow[node]["inputs"][name] = value
        return flow

    @property
    def content(self) -> dict[str, Any]:
        """Return the content of a task."""
        return {"prompt": self.workflow(), "files": {OWN_FILE: PNG}}

    def runtime(self) -> Runtime:
        """Return a runtime whose settings allow what the case says."""
        options: dict[str, Any] = {"allow": list(self.allow)}
        if self.described:
            options["catalogue"] = CATALOGUE
        return Runtime("comfy", "comfyui", dynamic_model=True, options=options)


def cases() -> Iterator[WorkflowCase]:
    """Yield all cases."""
    for group, entries in DATA.items():
        for entry in entries:
            changes, nodes = entry.get("set", {}), entry.get("add", {})
            place = next(iter(changes), None)
            at = f"/{place.replace('.', '/inputs/')}" if place else f"/{next(iter(nodes))}/class_type"
            allow, described = (tuple(entry.get(name, ())) for name in ("allow", "described"))
            yield WorkflowCase(group, entry["why"], changes, nodes, allow, described, at)


@contextmanager
def catalogue_of(case: WorkflowCase, rules: ModuleType) -> Iterator[None]:
    """Let the package of a module find the catalogue with the custom classes that a case describes."""
    if not case.described:
        yield
        return
    package: Any = importlib.import_module(f"{rules.__name__.rpartition('.')[0]}.catalogue")
    shipped: Path = package.CATALOGUES
    core = json.loads((shipped / package.DEFAULT_CATALOGUE).read_text("utf-8"))
    reducer = Reducer()
    mine = {"input": {}, "output": [], "output_node": True, "python_module": "custom_nodes.mine"}
    reducer.add(dict.fromkeys(case.described, mine), custom=True)
    with TemporaryDirectory() as folder:
        core["classes"] |= reducer.classes
        (Path(folder) / CATALOGUE).write_text(json.dumps(core), "utf-8")
        package.CATALOGUES = Path(folder)
        try:
            yield
        finally:
            package.CATALOGUES = shipped


def check_submit(case: WorkflowCase, rules: ModuleType) -> None:
    """Assert that the rules (the module with `ComfyUi`) refuse a case, or keep only a name of a prefix."""
    runtime = case.runtime()
    with catalogue_of(case, rules):
        found = rules.ComfyUi().validate("pipeline", case.content, runtime, DEFAULT_LIMITS)
    refused = [fault.path for fault in found.faults]
    if case.group != "prefixes":
        assert f"/prompt{case.at}" in refused, f"{case.why}: {refused}"
        return
    assert refused == []
    kept = found.content["prompt"][OUTPUT_NODE]["inputs"]["filename_prefix"]
    assert not set(kept) & set("/\\\0")
    assert kept not in (".", "..")


def check_guard(case: WorkflowCase, guard: ModuleType, options: ModuleType) -> None:
    """Assert that the guard (the module with `escapes`) holds a case, as if nothing had checked it before."""
    prompt = case.workflow(image=UPLOADED, prefix=f"{FOLDER}/{OUTPUT_NODE}")
    allowed = options.Options.of(case.runtime())
    with catalogue_of(case, guard):
        found = [fault.path for fault in guard.escapes(prompt, allowed, files={UPLOADED}, folder=FOLDER)]
    assert f"/prompt{case.at}" in found, f"{case.why}: {found}"
