"""How the client waits for tasks: with few requests, and without missing a change."""

import json
from collections.abc import Callable, Collection
from typing import Any

import pytest

from sd_on_ecs import Client, InputError, Retries, WaitTimeout, text_to_image, workflow
from tests.support.flaky_server import FlakyServer

Answer = tuple[int, dict[str, str], bytes]
Start = Callable[..., FlakyServer]
NOTHING_NEW: Answer = (304, {}, b"")


def task(status: str, position: int | None = None, tag: str = "a") -> Answer:
    body = {"id": "t", "status": status, "position": position, "progress": 0}
    return 200, {"etag": f'"{tag}"'}, json.dumps(body).encode()


def page(*tasks: tuple[str, str], cursor: str | None = None) -> Answer:
    body = {"tasks": [{"id": name, "status": status} for name, status in tasks], "cursor": cursor}
    return 200, {}, json.dumps(body).encode()


def client(server: FlakyServer) -> Client:
    return Client(server.url, "key", retries=Retries(count=0))


def paths(server: FlakyServer) -> list[str]:
    return [path.removeprefix("/v1alpha2/tasks") for _, path, _, _ in server.requests]


def test_a_task_is_waited_for_with_the_tag_of_its_last_state(flaky: Start) -> None:
    answers = [task("running"), NOTHING_NEW, task("running", tag="b"), task("completed", tag="c")]
    server = flaky(answers=answers)
    with client(server) as own:
        assert [one["status"] for one in own.follow("t")] == ["running", "running", "completed"]
    assert paths(server) == ["/t", *["/t/wait?seconds=25"] * 3]
    assert [headers.get("if-none-match") for _, _, headers, _ in server.requests] == [
        None,
        '"a"',
        '"a"',
        '"b"',
    ]


def test_a_new_position_is_read_between_two_waits(flaky: Start) -> None:
    answers = [task("queued", 3), NOTHING_NEW, task("queued", 3), NOTHING_NEW, task("queued", 1)]
    server = flaky(answers=[*answers, task("completed", tag="b")])
    with client(server) as own:
        assert [one["position"] for one in own.follow("t")] == [3, 1, None]
    assert paths(server) == ["/t", "/t/wait?seconds=5", "/t", "/t/wait?seconds=5", "/t", "/t/wait?seconds=5"]


def test_a_waiter_too_many_reads_instead(flaky: Start) -> None:
    server = flaky(answers=[task("running"), (429, {}, b"{}"), task("completed", tag="b")])
    with client(server) as own:
        assert own.wait("t")["status"] == "completed"
    assert paths(server) == ["/t", "/t/wait?seconds=25", "/t"]


def test_waiting_ends_after_its_time(flaky: Start) -> None:
    server = flaky(answers=[task("running")])
    with (
        client(server) as own,
        pytest.raises(WaitTimeout, match="t has not ended after 0 seconds; it goes on"),
    ):
        own.wait("t", timeout=0)


def test_many_tasks_are_listed_and_only_those_that_have_ended_are_read(flaky: Start) -> None:
    answers = [
        page(("other", "running"), ("b", "completed"), cursor="next"),
        page(("a", "running"), ("c", "running")),
        task("completed"),
        page(("a", "running")),
        task("failed"),  # the list no longer has it
        page(("a", "completed")),
        task("completed"),
    ]
    server = flaky(answers=answers)
    ended: list[str] = []
    with client(server) as own:
        found = own.wait_all(["a", "b", "c", "a"], on_end=lambda one: ended.append(one["status"]))
    assert {name: one["status"] for name, one in found.items()} == {
        "a": "completed",
        "b": "completed",
        "c": "failed",
    }
    assert ended == ["completed", "failed", "completed"]
    assert [path.partition("?")[0] for path in paths(server)] == ["", "", "/b", "", "/c", "", "/a"]


def runtimes(*types: str, dynamic: Collection[int] = ()) -> Answer:
    found = [
        {"name": f"{one}-{index}", "type": one, "dynamic_model": index in dynamic}
        for index, one in enumerate(types)
    ]
    return 200, {}, json.dumps({"runtimes": found}).encode()


@pytest.mark.parametrize(
    ("body", "expected"), [(text_to_image("a cat"), "sdwebui-0"), (workflow({"1": {}}), "comfyui-1")]
)
def test_a_task_without_a_runtime_goes_to_the_only_one_of_its_type(
    flaky: Start, body: dict[str, Any], expected: str
) -> None:
    server = flaky(answers=[runtimes("sdwebui", "comfyui"), (200, {}, b"{}")])
    with client(server) as own:
        own.submit(body)
    assert json.loads(server.requests[1][3])["task"]["metadata"]["runtime"] == expected
    assert "runtime" not in body["task"]["metadata"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, "sdwebui-0"), ({"alwayson_scripts": {"sd_model_checkpoint": "m.safetensors"}}, "sdwebui-1")],
)
def test_a_checkpoint_decides_between_a_runtime_that_has_one_and_one_that_loads_any(
    flaky: Start, fields: dict[str, Any], expected: str
) -> None:
    server = flaky(answers=[runtimes("sdwebui", "sdwebui", dynamic=[1]), (200, {}, b"{}")])
    with client(server) as own:
        own.submit(text_to_image("a cat", **fields))
    assert json.loads(server.requests[1][3])["task"]["metadata"]["runtime"] == expected


@pytest.mark.parametrize("types", [("sdwebui", "sdwebui"), ("comfyui",), ("comfyui", "comfyui")])
def test_a_task_without_a_runtime_is_refused_if_it_is_not_clear_which_one(
    flaky: Start, types: tuple[str, ...]
) -> None:
    server = flaky(answers=[runtimes(*types)])
    with client(server) as own, pytest.raises(InputError, match="name the runtime of the task"):
        own.submit(text_to_image("a cat"))
    assert len(server.requests) == 1
