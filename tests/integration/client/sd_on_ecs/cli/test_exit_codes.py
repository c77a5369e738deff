"""How the command ends after what a server or a disk does: with 1 only if a task failed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.client_command import Command
from tests.support.flaky_server import FlakyServer

Answer = tuple[int, dict[str, str], bytes]
Start = Callable[..., FlakyServer]
NAME = "cat-1-ab12-1.png"


def answer(status: int, body: Any) -> Answer:
    return status, {}, json.dumps(body).encode()


def refusal(status: int, code: str) -> Answer:
    return answer(status, {"error": {"code": code, "message": "It is so.", "details": []}})


def task(task_id: str = "cat-1", status: str = "completed", *, url: str = "") -> dict[str, Any]:
    image = {"s3": f"s3://bucket/output/cat-1/{NAME}", "url": url, "expires_at": ""}
    return {
        "id": task_id,
        "status": status,
        "progress": 1,
        "position": None,
        "finished_at": "2026-01-01T00:00:00Z",
        "images": [image] if url else [],
        "other_images": [],
        "output": None,
        "error": None,
    }


def access(server: FlakyServer) -> dict[str, str]:
    return {"SD_ON_ECS_ENDPOINT": server.url, "SD_ON_ECS_KEY": "s3cret"}


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b"[]", b"", b"\xff"])
def test_a_server_that_is_not_the_api_is_unavailable(flaky: Start, command: Command, content: bytes) -> None:
    server = flaky(answers=[(200, {}, content)])
    done = command.inside("status", "cat-1", status=5, environment=access(server))
    assert done.stderr.startswith(f"sd-on-ecs: {server.url}/v1alpha2/tasks/cat-1 answered 200 without a JSON")


def test_an_image_that_cannot_be_written_is_named(flaky: Start, command: Command) -> None:
    (command.folder / NAME).mkdir()
    server = flaky(content=b"picture")
    server.answers.append(answer(200, task(url=f"{server.url}/link")))
    done = command.inside("download", "cat-1", status=2, environment=access(server))
    assert done.stderr.startswith(f"sd-on-ecs: {NAME} cannot be written: ")
    assert [path.name for path in command.folder.iterdir()] == [NAME]


def test_a_contact_sheet_that_cannot_be_written_loses_no_paths(flaky: Start, command: Command) -> None:
    (command.folder / "s" / "contact-sheet.png").mkdir(parents=True)
    server = flaky(answers=[])
    submitted = answer(200, {"id": "s-1", "warnings": []})
    listed = answer(200, {"tasks": [], "cursor": None})
    first, second = (task(f"s-{number}", url=f"{server.url}/link") for number in (1, 2))
    picture: Answer = (200, {}, b"picture")
    ended = [answer(200, first), picture, answer(200, second), picture]
    server.answers.extend([submitted, submitted, listed, *ended])
    sweep = ("txt2img", "a cat", "--runtime", "sd", "--id", "s", "--vary", "seed=1..2")
    done = command.inside(*sweep, status=2, environment=access(server))
    assert done.stdout == f"s/{NAME}\n" * 2
    assert "s/contact-sheet.png cannot be written: " in done.stderr


def test_what_nobody_foresaw_is_no_failed_task(flaky: Start, command: Command) -> None:
    server = flaky(answers=[answer(200, {})])
    done = command.inside("list", status=70, environment=access(server))
    assert "KeyError" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_key_that_is_none_is_not_configured_and_not_shown(command: Command) -> None:
    done = command.inside("--endpoint", "http://127.0.0.1:9", "--key", "s3 cret", "list", status=4)
    assert done.stderr.startswith("sd-on-ecs: the API key has a space")
    assert "cret" not in done.stderr


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_tasks_after_one_that_has_ended_are_cancelled_too(
    flaky: Start, command: Command, as_json: tuple[str, ...]
) -> None:
    cancelled = [answer(200, task(task_id, "cancelled")) for task_id in ("a", "c")]
    ended = [refusal(409, "conflict"), answer(200, task("b"))]
    server = flaky(answers=[cancelled[0], *ended, cancelled[1]])
    done = command.inside("cancel", "a", "b", "c", *as_json, status=3, environment=access(server))
    assert done.stderr == "sd-on-ecs: b: It is so.\n"
    if as_json:
        assert [one["id"] for one in json.loads(done.stdout)] == ["a", "c"]
    else:
        assert done.stdout == "a cancelled\nc cancelled\n"


def test_a_refused_key_ends_a_cancel_of_many_tasks(flaky: Start, command: Command) -> None:
    server = flaky(answers=[answer(403, {"message": "Forbidden"})])
    done = command.inside("cancel", "a", "b", "c", status=4, environment=access(server))
    assert done.stderr.endswith("sd-on-ecs: not tried: b c\n")
    assert len(server.requests) == 1
