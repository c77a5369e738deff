"""`docs/tasks.md` lists every field of a task that SD Web UI does not receive unchanged."""

import json
import re
from pathlib import Path
from typing import Any

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.name_resolution import resolve_names
from container.consumer.engines.sdwebui.request import request_body
from domain.errors import ErrorCode, PermanentError
from domain.limits import DEFAULT_LIMITS
from domain.routing import Runtime
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.inputs import image_fields
from runtimes.sdwebui.overrides import SETTING_CHOICES
from runtimes.sdwebui.policy import OWNED_FIELDS
from runtimes.sdwebui.prompts import MAX_DEPTH, MAX_MARKS, MAX_NETWORKS
from runtimes.sdwebui.redundant_scripts import REDUNDANT_SCRIPTS
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.unknown import FOREIGN_FIELDS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
DYNAMIC = Runtime("d", dynamic_model=True, model_filename="m.safetensors")
LINK = "https://example.com/a.png"
LISTS: dict[str, Any] = {
    "samplers": [{"name": "Euler", "aliases": []}],
    "schedulers": [{"name": "karras", "label": "Karras", "aliases": []}],
    "prompt-styles": [{"name": "Style", "prompt": "", "negative_prompt": ""}],
    "upscalers": [{"name": "Lanczos"}],
    "options": dict.fromkeys((*SETTING_CHOICES, "tiling")),
}
SAMPLE_TEXTS = ("a<lora:x:1>", "a\\b", "euler", "karras", "KARRAS", "lanczos", "Use same sampler", LINK)
BASE_CONTENTS: tuple[dict[str, Any], ...] = ({}, {"enable_hr": True, "disable_extra_networks": True})


class FakeWebUiLists:
    def get(self, path: str) -> Any:
        if (name := path.rsplit("/", 1)[1]) in LISTS:
            return LISTS[name]
        raise PermanentError(ErrorCode.ENGINE_REJECTED, "404", response={"detail": "Not Found"})


def section(heading: str) -> str:
    return DOCUMENT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def tables() -> tuple[str, str]:
    """Return the table of changed fields, and that of the names in other APIs."""
    own_rows, _, foreign_rows = section("Read, corrected or filled in").partition("| field of another API |")
    return own_rows, foreign_rows


def body_sent(tasktype: TaskType, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is sent to SD Web UI, or None if the task is refused."""
    check = ContentCheck(tasktype, DYNAMIC, path="")
    normalized = check.normalize(content)
    if check.faults:
        return None
    try:
        corrected, _ = resolve_names(tasktype, normalized, Catalogue(FakeWebUiLists()))
    except PermanentError:
        return None
    body: dict[str, Any] = json.loads(request_body(tasktype, corrected))
    return body


def sample_values(kind: str) -> list[Any]:
    match kind.removesuffix("?"):
        case "string":
            return list(SAMPLE_TEXTS)
        case "array" | "array of string":
            return [[], ["style"], [LINK], ["a<lora:x:1>"], [{"data": LINK, "name": "a"}]]
        case "object":
            return [{"tiling": "true"}, {"controlnet": {"args": [{"enabled": False}]}}]
        case "boolean":
            return [True]
        case _:
            return [3]


def changed_fields() -> set[str]:
    """Return the fields for which some value, or their absence, is changed."""
    fields = set()
    for tasktype in TaskType:
        required_by_type: dict[TaskType, dict[str, Any]] = {
            TaskType.IMAGE_TO_IMAGE: {"init_images": ["x"]},
            TaskType.EXTRA_SINGLE_IMAGE: {"image": "x"},
            TaskType.EXTRA_BATCH_IMAGES: {"imageList": [{"data": "x", "name": "x"}]},
        }
        required = required_by_type.get(tasktype, {})
        for name, kind in FIELDS[tasktype].items():
            for value in sample_values(kind):
                for base in BASE_CONTENTS:
                    content = required | base | {name: value}
                    body = body_sent(tasktype, content)
                    if body is not None:
                        fields |= {field for field in content if content[field] != body.get(field)}
                        fields |= {
                            field for field in body if field in FIELDS[tasktype] and field not in content
                        }
                    fields |= {image.path.split("/")[1] for image in image_fields(content) if image.is_link}
    return fields - OWNED_FIELDS.keys()


def test_the_table_lists_exactly_the_fields_that_are_changed() -> None:
    documented = first_column(tables()[0])

    assert sorted(documented) == documented
    assert set(documented) == changed_fields() - {"tiling"}


def test_the_names_of_other_apis_are_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", tables()[1], re.MULTILINE))

    assert {name: meant.replace("`", "") for name, meant in rows.items()} == dict(FOREIGN_FIELDS)


def test_the_scripts_that_are_left_out_are_named() -> None:
    left_out = re.search(r"requests copied from SD Web UI's page:\n(.+)\.\n", section("Scripts"))

    assert left_out is not None
    assert set(re.findall(r"`([^`]+)`", left_out[1])) == REDUNDANT_SCRIPTS


def test_the_documented_limits_of_prompts_are_those_of_the_code() -> None:
    numbers = {int(number) for number in re.findall(r"\b[0-9]+\b", section("Prompts"))}

    assert {MAX_MARKS, MAX_DEPTH, MAX_NETWORKS} <= numbers
    configuration = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    assert f"| `limits.work` | {DEFAULT_LIMITS.work} |" in configuration
    assert f"| `limits.promptCharacters` | {DEFAULT_LIMITS.prompt_characters} |" in configuration
