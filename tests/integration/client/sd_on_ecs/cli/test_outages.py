"""After an outage, the command says how to get what it has submitted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.client_command import Command
from tests.support.flaky_server import FlakyServer

Answer = tuple[int, dict[str, str], bytes]
Start = Callable[..., FlakyServer]
OUTAGE: Answer = (200, {}, b"<html>Under maintenance</html>")  # an answer that is not tried again
CAT = ("txt2img", "a cat", "--runtime", "sd", "--id")


def answer(body: Any) -> Answer:
    return 200, {}, json.dumps(body).encode()


def submitted(task_id: str) -> Answer:
    return answer({"id": task_id, "warnings": []})


def access(server: FlakyServer) -> dict[str, str]:
    return {"SD_ON_ECS_ENDPOINT": server.url, "SD_ON_ECS_KEY": "key"}


def completed(task_id: str, url: str) -> dict[str, Any]:
    image = {"s3": "s3://bucket/output/cat-1.png", "url": url, "expires_at": ""}
    state = {"id": task_id, "status": "completed", "progress": 1, "position": None, "error": None}
    return {**state, "images": [image], "other_images": [], "output": None}


def test_a_task_goes_on_after_an_outage_while_it_is_waited_for(flaky: Start, command: Command) -> None:
    server = flaky(answers=[submitted("cat-1"), OUTAGE])
    done = command.inside(*CAT, "cat-1", status=5, environment=access(server))
    assert done.stderr.startswith("cat-1 goes on; `sd-on-ecs download cat-1 --wait` gets its images\n")


def test_a_task_that_is_completed_is_downloaded_after_an_outage(flaky: Start, command: Command) -> None:
    server = flaky(answers=[submitted("cat-1")])
    gone: Answer = (404, {}, b"<Error/>")
    server.answers.extend([answer(completed("cat-1", f"{server.url}/link")), gone])
    done = command.inside(*CAT, "cat-1", status=3, environment=access(server))
    assert done.stderr.startswith("cat-1 is completed; `sd-on-ecs download cat-1` gets its images\n")


def test_a_task_whose_response_was_lost_is_named(flaky: Start, command: Command) -> None:
    server = flaky(answers=[OUTAGE])
    done = command.inside("txt2img", "a cat", "--runtime", "sd", status=5, environment=access(server))
    task_id = json.loads(server.requests[0][3])["task"]["metadata"]["id"]
    assert f"`sd-on-ecs status {task_id}` says whether it was" in done.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_the_tasks_of_a_sweep_are_named_after_an_outage(flaky: Start, command: Command, count: int) -> None:
    server = flaky(answers=[*[submitted("s")] * count, OUTAGE])
    sweep = (*CAT, "s", "--vary", "seed=1..2", "--no-sheet")
    done = command.inside(*sweep, status=5, environment=access(server))
    ids = [json.loads(body)["task"]["metadata"]["id"] for *_, body in server.requests[:count]]
    said = f"1 of 2 tasks were submitted, and go on: {ids[0]} to {ids[0]}"
    said = said if count == 1 else f"the tasks {ids[0]} to {ids[-1]} are not lost"
    assert said in done.stderr
