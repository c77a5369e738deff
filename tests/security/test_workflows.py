"""Every case of workflows.yaml is refused at submit, and again just before a workflow is sent."""

import re
from typing import Final

import pytest

from runtimes.comfyui import guard, options, runtime_type
from runtimes.comfyui.catalogue import load
from runtimes.comfyui.policy import NEVER_ALLOWED, ONLY_IF_ALLOWED
from tests.security.workflow_cases import FOLDER, UPLOADED, WorkflowCase, cases, check_guard, check_submit
from tests.support.comfyui import image_to_image

CASES = [pytest.param(case, id=case.why) for case in cases()]
WRITES_OR_READS_ELSEWHERE: Final = re.compile(
    r"Folder|Data[sS]et|Train|Webcam|Lo[rR][aA].*Save|Save(?!Image$|Animated|Audio|Video|WEBM|GLB|SVG)"
    r"|(CLIP|VAE|Model|Checkpoint)Save|LoadImageOutput|Url|URL|Http|Exec|Script"
)
"""Names of classes that reach other files, in any version of ComfyUI: versions rename them."""


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_at_submit(case: WorkflowCase) -> None:
    check_submit(case, runtime_type)


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_again_before_it_is_sent(case: WorkflowCase) -> None:
    check_guard(case, guard, options)


def test_a_workflow_with_its_own_files_only_is_sent() -> None:
    prompt = image_to_image(UPLOADED)
    prompt["9"]["inputs"]["filename_prefix"] = f"{FOLDER}/9"
    assert list(guard.escapes(prompt, options.Options(), files={UPLOADED}, folder=FOLDER)) == []


def test_every_class_of_the_catalogue_that_reaches_other_files_is_refused() -> None:
    found = [name for name in load().classes if WRITES_OR_READS_ELSEWHERE.search(name)]
    assert len(found) > 10
    assert [name for name in found if name not in NEVER_ALLOWED | ONLY_IF_ALLOWED] == []


def test_no_allowed_class_chooses_among_folders_or_files_of_a_server() -> None:
    named = re.compile(r"folder|file|path|dir\b", re.IGNORECASE)
    found = [
        f"{name}.{one}"
        for name, known in load().classes.items()
        for one, kind in known.inputs.items()
        if kind.kind in ("choice", "STRING") and named.search(one) and name not in NEVER_ALLOWED
    ]
    assert found == []
