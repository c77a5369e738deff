"""Each fault has the effect that it is named after, and ends when it is switched off."""

import time
from typing import Any

import httpx
import pytest

from local.fakes.comfyui import recipe
from local.fakes.comfyui.faults import FAULTS, KINDS
from local.fakes.comfyui.process import FakeComfyUi, running
from local.fakes.comfyui.refusals import PARTLY, REFUSALS
from local.fakes.process import FakeError
from tests.support.comfyui import Client, image_to_image, listening, node, png, text_to_image

QUICK: dict[str, Any] = {"step_seconds": 0.0, "load_seconds": 0.0}


def last_message(entry: dict[str, Any]) -> str:
    return str(entry["status"]["messages"][-1][0])


def next_seed() -> int:
    """Return a seed that no other job has, so that nothing is taken from the cache."""
    return time.monotonic_ns() % 10**9


def test_every_fault_has_a_test() -> None:
    tested = {name.removeprefix("test_fault_") for name in globals() if name.startswith("test_fault_")}
    assert tested == {name.replace("-", "_") for name in FAULTS}


def test_an_unknown_fault_is_refused(comfyui: FakeComfyUi) -> None:
    with pytest.raises(FakeError, match="expected one of"):
        comfyui.control.set("nonsense")


def test_fault_slow() -> None:
    with running(step_seconds=0.05, load_seconds=0) as fake:
        client = Client(fake.url)
        fake.control.set("slow", jobs=1, factor=4)
        began_at = time.monotonic()
        client.run(text_to_image(steps=2))
        assert time.monotonic() - began_at >= 0.4


def test_fault_hang(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("hang", jobs=1, ignore_interrupt=True)
    job = client.queue(text_to_image())
    comfyui.control.wait(held=1)
    client.http.post("/interrupt")
    assert client.history(job) is None, "a node that does not look at interrupts goes on"
    comfyui.control.clear()
    assert last_message(client.wait(job)) == "execution_interrupted"


@pytest.mark.parametrize("kind", REFUSALS)
def test_fault_rejected(comfyui: FakeComfyUi, client: Client, kind: str) -> None:
    flow = image_to_image(client.upload("in.png", png()))
    comfyui.control.set("rejected", jobs=1, kind=kind)
    answer = client.post(flow)
    said = REFUSALS[kind].split(",")[0].split(":")[0]
    assert str(answer.status_code) == said
    if kind == PARTLY:
        assert answer.json()["node_errors"]
    else:
        assert client.http.get("/prompt").json()["exec_info"]["queue_remaining"] == 0
    assert client.run_and_read_recipe(text_to_image(seed=next_seed())), "only one request is refused"


def test_fault_upload_too_large(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("upload-too-large", jobs=1)
    assert client.http.post("/upload/image", files={"image": ("a.png", png())}).status_code == 413
    assert client.upload("a.png", png())


def test_a_class_of_nodes_can_fail(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("error", jobs=1, kind="bad-file", node="SaveImage")
    assert (
        client.run(text_to_image(seed=next_seed()))["status"]["messages"][-1][1]["node_type"] == "SaveImage"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_fault_error(comfyui: FakeComfyUi, client: Client, kind: str) -> None:
    comfyui.control.set("error", jobs=1, kind=kind)
    entry = client.run(text_to_image())
    name, error_data = entry["status"]["messages"][-1]
    assert (name, error_data["exception_type"]) == ("execution_error", KINDS[kind][0])
    assert error_data["exception_message"].startswith(KINDS[kind][1])
    assert client.run(text_to_image())["status"]["completed"], "the next job works"


def test_fault_crash() -> None:
    with running(step_seconds=0.1, load_seconds=0) as fake, listening(fake.url, "me") as socket:
        fake.control.set("crash")
        Client(fake.url).queue(text_to_image(), client_id="me")
        assert fake.process.wait(10) == 86
        socket.wait_until_closed()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{fake.url}/prompt")


def test_fault_dead_worker(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("dead-worker", jobs=1)
    first = client.queue(text_to_image(seed=1))
    second = client.queue(text_to_image(seed=2))
    comfyui.control.wait(begun=1, waiting=1)
    client.http.post("/interrupt", json={"prompt_id": first})
    assert client.http.get("/system_stats").status_code == 200
    queue = client.http.get("/queue").json()
    assert [entry[1] for entry in queue["queue_running"]] == [first]
    assert [entry[1] for entry in queue["queue_pending"]] == [second]
    assert client.history(first) is None


def test_fault_interrupted(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("interrupted", jobs=1)
    assert last_message(client.run(text_to_image())) == "execution_interrupted"


def test_fault_wrong_model(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("wrong-model", jobs=1)
    assert client.run_and_read_recipe(text_to_image(seed=1))["model"] == "a model that nobody asked for"
    assert client.run_and_read_recipe(text_to_image(seed=2))["model"] == "v1-5-pruned-emaonly.safetensors"


def test_fault_no_output(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("no-output", jobs=1)
    entry = client.run(text_to_image())
    assert (entry["status"]["completed"], entry["outputs"]) == (True, {})


def test_fault_reversed_outputs(comfyui: FakeComfyUi, client: Client) -> None:
    flow = text_to_image()
    flow["91"] = node("SaveImage", images=["8", 0], filename_prefix="second")
    usual = list(client.run(flow)["outputs"])
    comfyui.control.set("reversed-outputs", jobs=1)
    flow["3"]["inputs"]["seed"] = 2
    assert list(client.run(flow)["outputs"]) == usual[::-1]


def test_fault_outside_name(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("outside-name", jobs=1)
    item = client.run(text_to_image())["outputs"]["9"]["images"][0]
    assert item["subfolder"] == "../.."
    assert client.http.get("/view", params=item).status_code == 400


def test_fault_missing_file(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("missing-file", jobs=1)
    item = client.run(text_to_image())["outputs"]["9"]["images"][0]
    assert client.http.get("/view", params=item).status_code == 404


def test_fault_cut_file(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("cut-file", jobs=1)
    item = client.run(text_to_image())["outputs"]["9"]["images"][0]
    assert not client.http.get("/view", params=item).content.endswith(b"IEND\xaeB`\x82")


def test_fault_forget(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("forget", jobs=1)
    job = client.queue(text_to_image())
    comfyui.control.wait(ended=1)
    assert client.history(job) is None
    assert client.http.get("/queue").json() == {"queue_running": [], "queue_pending": []}


def test_fault_bad_message(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("bad-message")
    job = client.queue(text_to_image(seed=1))
    comfyui.control.wait(ended=1)
    assert client.http.get(f"/history/{job}").status_code == 500
    assert client.http.get("/history").status_code == 500
    assert client.http.get("/api/jobs").status_code == 200
    client.queue(text_to_image(seed=2), client_id="me")
    assert comfyui.process.wait(10) != 0


def test_fault_queued_500(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("queued-500", jobs=1)
    answer = client.post(text_to_image(), prompt_id="00000000-0000-4000-8000-000000000001")
    assert answer.status_code == 500
    assert client.wait("00000000-0000-4000-8000-000000000001")["status"]["completed"]


def test_fault_queued_close(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("queued-close", jobs=1)
    with pytest.raises(httpx.TransportError):
        client.post(text_to_image(), prompt_id="00000000-0000-4000-8000-000000000001")
    assert client.wait("00000000-0000-4000-8000-000000000001")["status"]["completed"]


@pytest.mark.parametrize("interrupts", [1, 2])
def test_fault_lost_interrupt(comfyui: FakeComfyUi, client: Client, interrupts: int) -> None:
    comfyui.control.set("lost-interrupt", jobs=1)
    comfyui.control.set("hang", jobs=1)
    job = client.queue(text_to_image())
    comfyui.control.wait(held=1)
    for _ in range(interrupts):
        assert client.http.post("/interrupt", json={"prompt_id": job}).status_code == 200
    comfyui.control.clear("hang")
    assert client.wait(job)["status"]["completed"] is (interrupts == 1)


def test_fault_lost_cancel(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("lost-cancel", jobs=1)
    comfyui.control.set("hang", jobs=1)
    job = client.queue(text_to_image())
    comfyui.control.wait(held=1)
    assert client.http.post(f"/api/jobs/{job}/cancel").json() == {"cancelled": True}
    comfyui.control.clear("hang")
    assert client.wait(job)["status"]["completed"]


def test_fault_deaf(comfyui: FakeComfyUi, client: Client) -> None:
    with listening(comfyui.url, "me") as socket:
        comfyui.control.set("deaf")
        client.run(text_to_image(seed=next_seed()), client_id="me")
        comfyui.control.clear("deaf")
        job = client.queue(text_to_image(seed=next_seed()), client_id="me")
        socket.wait_for("executing", node=None, prompt_id=job)
        assert socket.types().count("execution_start") == 1


def test_fault_refuse(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("refuse")
    comfyui.control.wait(refusing=True)
    with pytest.raises(httpx.TransportError):
        client.http.get("/prompt")
    comfyui.control.clear()
    comfyui.control.wait(refusing=False)
    assert client.run(text_to_image())["status"]["completed"]


def test_fault_unavailable(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("unavailable")
    assert client.http.get("/prompt").status_code == 503
    comfyui.control.clear("unavailable")
    assert client.http.get("/prompt").status_code == 200


def test_a_fault_of_some_jobs_leaves_the_others_alone(comfyui: FakeComfyUi, client: Client) -> None:
    comfyui.control.set("error", jobs=1, after=1)
    outcomes = [client.run(text_to_image(seed=seed))["status"]["completed"] for seed in range(3)]
    assert outcomes == [True, False, True]
    assert comfyui.control.stats()["failed"] == 1


def test_a_fault_can_be_switched_on_from_the_start() -> None:
    with running(**QUICK, fault=["no-output:1"]) as fake:
        client = Client(fake.url)
        assert client.run(text_to_image(seed=1))["outputs"] == {}
        assert recipe.read(client.image(client.run(text_to_image(seed=2)))) is not None


def test_a_boot_takes_the_requested_time() -> None:
    with running(**QUICK, boot_seconds=1) as fake:
        with pytest.raises(httpx.ConnectError):
            httpx.get(fake.url)
        assert fake.control.stats()["begun"] == 0, "its control port responds meanwhile"
        fake.process.wait_for_line("fake ready", timeout=60)
        assert httpx.get(f"{fake.url}/prompt").status_code == 200


def test_sigterm_ends_it_at_once() -> None:
    with running(**QUICK) as fake:
        client = Client(fake.url)
        fake.control.set("hang")
        client.queue(text_to_image())
        fake.control.wait(held=1)
        assert fake.stop() == -15
