"""The deployed API answers generated requests as its OpenAPI document says, whatever they contain."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.pipeline import Pipeline, run_pipeline
from tests.support import bodies

SECONDS = 75
"""How long requests are sent; schemathesis repeats until then."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "ignored_auth",
)
"""Not checked: whether valid requests are accepted (no schema can say which model exists), and how long a
request may take (one that waits may take long)."""


@pytest.fixture
def idle_pipeline(assembly: Path) -> Iterator[Pipeline]:
    """Run the pipeline without workers: nothing that a generated task links to is downloaded."""
    with run_pipeline(assembly=assembly, runtimes=[]) as running:
        yield running


def _with_tasks(document: dict[str, Any], ids: list[str], ended: list[str]) -> dict[str, Any]:
    """Return the document for a run: with ids that exist, and no webhooks to other hosts.

    Requests that wait get the ids of tasks that have ended. Without `default`, which describes internal
    errors, every status must be documented.
    """
    document["components"]["schemas"]["Webhook"] = {"type": "null"}
    for path, item in document["paths"].items():
        known = ended if path.endswith("/wait") else ids
        for parameter in item.get("parameters", []):
            if parameter["name"] == "id":
                parameter["schema"] = {"anyOf": [{"enum": known}, parameter["schema"]]}
        for operation in (item[name] for name in item if name != "parameters"):
            operation["responses"].pop("default")
    return document


@pytest.mark.long
def test_generated_requests_get_documented_answers_and_no_server_error(
    idle_pipeline: Pipeline, tmp_path: Path
) -> None:
    queued, cancelled = "queued", "cancelled"
    for task_id in (queued, cancelled):
        body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image())
        assert idle_pipeline.submit(body).status_code == 200
    assert idle_pipeline.call("DELETE", f"/v1alpha2/tasks/{cancelled}").status_code == 200
    document = idle_pipeline.call("GET", "/openapi.json").json()
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(_with_tasks(document, [queued, cancelled], [cancelled])), encoding="utf-8")

    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", str(file)),
        *("--url", idle_pipeline.deployment.api_url),
        *("--header", f"x-api-key: {idle_pipeline.deployment.api_key}"),
        *("--checks", ",".join(CHECKS), "--max-time", str(SECONDS), "--request-timeout", "40"),
        *("--seed", "1", "--generation-database", "none", "--no-color", "--continue-on-failure"),
    ]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SECONDS,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    assert "FAILURES" not in done.stdout
