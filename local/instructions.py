"""What `make local` prints when it is ready: the addresses, and commands to copy."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final

import httpx

from domain.api_routes import CONSOLE
from local.demo import EXAMPLES
from local.fakes.registry import REQUESTS
from local.pipeline import Pipeline
from local.worker import Worker

LOADER: Final = "CheckpointLoaderSimple"
CHECKPOINT: Final = "ckpt_name"
ANSWER_SECONDS: Final = 10.0


def instructions(pipeline: Pipeline, picture_url: str, webhook_url: str) -> list[str]:
    """Return the lines that say how to use a running pipeline."""
    deployment = pipeline.deployment
    return [
        "",
        f"console   {deployment.api_url}{CONSOLE.path}#key={deployment.api_key}",
        f"shell     export API={deployment.api_url} KEY={deployment.api_key}",
        f"AWS       {pipeline.aws.endpoint_url} (AWS_ENDPOINT_URL, with any credentials)",
        f"images    s3://{pipeline.output_bucket}/output/",
        f"webhooks  {webhook_url} (prints what it receives)",
        "client    .venv/bin/sd-on-ecs txt2img 'a cat' (finds this pipeline by itself)",
        f"input     {picture_url} (an example image for requests)",
        *(f"engine    {worker.engine_url} ({worker.runtime.name})" for worker in pipeline.workers),
        *_commands(pipeline, webhook_url),
        "",
        "Press Ctrl-C to stop everything. Callbacks and the consumers' logs follow:",
    ]


def _commands(pipeline: Pipeline, webhook_url: str) -> Iterator[str]:
    """Yield commands that submit a task to one runtime of each type and read its status."""
    deployment = pipeline.deployment
    key = f"x-api-key: {deployment.api_key}"
    first_by_type = {worker.runtime.type: worker for worker in reversed(pipeline.workers)}
    for worker in pipeline.workers:
        if worker is not first_by_type[worker.runtime.type]:
            continue
        body = _request(worker, webhook_url)
        submit = [
            *("curl", "-sS", f"{deployment.api_url}/v1alpha2", "-H", key),
            *("-H", "content-type: application/json", "-d", json.dumps(body)),
        ]
        task_id = body["task"]["metadata"]["id"]
        status = ["curl", "-sS", f"{deployment.api_url}/v1alpha2/tasks/{task_id}", "-H", key]
        yield from ("", f"Submit a task to {worker.runtime.name}:", shlex.join(submit))
        yield from ("Get its status and links to its images:", shlex.join(status))


def _request(worker: Worker, webhook_url: str) -> dict[str, Any]:
    file = EXAMPLES / f"{REQUESTS[worker.runtime.type]}.json"
    body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    body["task"]["metadata"] |= {"runtime": worker.runtime.name, "webhook": webhook_url}
    if worker.runtime.dynamic_model:
        _use_listed_checkpoint(body["task"]["content"], worker.engine_url)
    return body


def _use_listed_checkpoint(content: dict[str, Any], engine_url: str) -> None:
    """Let a workflow load a checkpoint that its server has, if the server lacks the example's."""
    loaders = [one["inputs"] for one in content.values() if isinstance(one, dict) and LOADER in one.values()]
    if not loaders:
        return
    answer = httpx.get(f"{engine_url}/models/checkpoints", timeout=ANSWER_SECONDS, trust_env=False)
    listed = answer.json() if answer.is_success else []
    for inputs in loaders:
        if listed and inputs[CHECKPOINT] not in listed:
            inputs[CHECKPOINT] = listed[0]
