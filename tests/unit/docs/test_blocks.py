"""Every block of code in the documents is run by a test, or stands here with the reason why it cannot be."""

import json
import re
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from domain.routing import Runtime, Runtimes
from functions.api.openapi import document
from tests.support.documents import BLOCKS, ROOT, SHELL, TRANSLATIONS, Block, blocks

REQUESTS: Final = "tests/e2e/test_documents.py"
AWS: Final = "tests/e2e/test_aws_commands.py"
CLIENT: Final = "tests/e2e/client/test_documents.py"
NAMES: Final = "tests/integration/docs/test_code_blocks.py"
SETTINGS: Final = "tests/unit/docs/test_settings.py"
FAKES: Final = "tests/integration/docs/test_fakes.py"
DEMO: Final = "tests/e2e/test_demo.py"
THIS: Final = "tests/unit/docs/test_blocks.py"

RUN_BY: Final = (
    ("docs/operations.md", r"\A(?!fields)", AWS),
    ("docs/deploy.md", r"", AWS),
    ("client/README.md", r"", CLIENT),
    ("docs/", r"^\.venv/bin/sd-on-ecs", CLIENT),
    ("docs/api.md", r"\baws ", AWS),
    ("docs/api.md", r'\A\{"id', REQUESTS),
    ("README.md", r"\Afrom sd_on_ecs|\A\$ \.venv/bin/sd-on-ecs", CLIENT),
    ("", r'\$API"?/v1alpha2|"task": \{|\A"(group|output|webhook)":|"task\.completed"|"input": \{', REQUESTS),
    ("docs/fake-", r"local\.fakes", FAKES),
    ("docs/comfyui.md", r"-m tools\.node_catalogue", FAKES),
    ("docs/comfyui.md", r"\ACOMFYUI_URL=", DEMO),
    ("README.md", r"\Amake demo\n|starting the AWS emulator", DEMO),
    ("docs/tutorial.md", r"\Amake local\n|\Aconsole ", DEMO),
    ("README.md", r"\Amake deploy\n", "tests/e2e/test_deploy.py"),
    ("docs/tutorial.md", r"\Amake preflight\nmake deploy\n", "tests/e2e/test_deploy.py"),
    ("", r"^(- |  - \{)name: |^modelBucketArn: |\A  webui:", SETTINGS),
    ("docs/custom-nodes.md", r"\A# container/comfyui-video/Dockerfile", NAMES),
    ("docs/api.md", r'\A\{"name"|\A"deliveries"', THIS),
    ("docs/configuration.md", r"\Aconfig\.yaml: ", NAMES),
)
"""Documents, what is in their blocks, and which test runs or checks these."""

NOT_RUN: Final = {
    "README.md": {"make test": "it is the tests"},
    "ARCHITECTURE.md": {
        "client ──HTTPS": "a picture",
        "infra   functions": "a picture; import-linter has the rules",
    },
    "docs/tutorial.md": {"export API=": "the reader fills in what `make local` printed"},
    "docs/operations.md": {"fields @timestamp": "Logs Insights is not in the emulator"},
    "docs/custom-nodes.md": {"uv pip compile": "needs Docker", "mkdir -p base/input": "needs Docker"},
    "container/comfyui/README.md": {"docker build": "needs Docker and a GPU"},
    "container/sdwebui/README.md": {"docker build": "needs Docker and a GPU"},
}
"""How the other blocks begin, and why nothing runs them; `test_code_blocks.py` looks up what they name."""

ORIGINALS: Final = [block for block in BLOCKS if not block.document.startswith(TRANSLATIONS)]


def _tests_of(block: Block) -> set[str]:
    return {
        test
        for start, pattern, test in RUN_BY
        if block.document.startswith(start) and re.search(pattern, block.text, re.MULTILINE)
    }


@pytest.mark.parametrize("block", ORIGINALS, ids=lambda block: block.name)
def test_every_block_is_run_by_a_test_or_cannot_be(block: Block) -> None:
    reasons = [why for start, why in NOT_RUN.get(block.document, {}).items() if block.text.startswith(start)]
    tests = _tests_of(block)
    assert bool(tests) != bool(reasons), "add it to RUN_BY, or to NOT_RUN with the reason"
    assert [test for test in tests if not (ROOT / test).exists()] == []


def test_every_exception_is_still_in_its_document() -> None:
    left = [
        (name, start)
        for name, starts in NOT_RUN.items()
        for start in starts
        if not any(block.document == name and block.text.startswith(start) for block in BLOCKS)
    ]
    assert left == []


def test_the_languages_are_those_that_tests_know() -> None:
    known = {*SHELL, "json", "yaml", "python", "dockerfile", "text", "console"}
    assert {block.language for block in BLOCKS} <= known


def _json(block: Block) -> Any:
    return json.loads(block.text if block.text.startswith(("{", "[")) else f"{{{block.text}}}")


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.name)
def test_json_in_the_documents_is_json(block: Block) -> None:
    assert _json(block)


@pytest.mark.parametrize(
    ("start", "schema"), [('{"name": "sdruntime"', "RuntimeDetails"), ('"deliveries"', "Delivery")]
)
def test_a_response_in_the_documents_is_one_of_the_api(start: str, schema: str) -> None:
    schemas = document("https://example.com", Runtimes([Runtime("a", dynamic_model=True)]))["components"][
        "schemas"
    ]
    found = [block for block in blocks("json") if block.text.startswith(start)]
    assert found
    for block in found:
        shown = _json(block)
        # What is left out stands as "…".
        is_complete = shown.pop("…", None) is None
        required = schemas[schema]["required"] if is_complete else []
        for one in shown.get("deliveries", [shown]):
            Draft202012Validator(schemas[schema] | {"required": required}).validate(one)
