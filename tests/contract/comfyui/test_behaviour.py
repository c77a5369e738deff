"""What recordings of single requests cannot show: queue, interrupts, caches, files, and versions."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.fakes.comfyui import recipe
from local.fakes.comfyui.process import FakeComfyUi, running, write_checkpoint
from tests.support.comfyui import CHECKPOINT, Client, listening, node, png, text_to_image

QUICK: dict[str, Any] = {"step_seconds": 0.0, "load_seconds": 0.0}
AN_ID = "00000000-0000-4000-8000-000000000001"


@contextmanager
def held(fake: FakeComfyUi, client: Client, **fields: Any) -> Iterator[str]:
    """Run a job that stops half-way until the block ends."""
    fake.control.set("hang", jobs=1)
    job = client.queue(text_to_image(seed=99), **fields)
    fake.control.wait(held=1)
    yield job
    fake.control.clear("hang")


def status_of(client: Client, job: str) -> Any:
    return client.http.get(f"/api/jobs/{job}").json().get("status")


def test_a_running_job_is_in_the_queue_and_not_in_the_history(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client, client_id="me") as job:
        assert client.history(job) is None
        assert client.http.get("/prompt").json() == {"exec_info": {"queue_remaining": 1}}
        queue = client.http.get("/queue").json()
        assert [entry[1] for entry in queue["queue_running"]] == [job]
        assert queue["queue_running"][0][3]["client_id"] == "me"
        assert status_of(client, job) == "in_progress"
    client.wait(job)
    assert status_of(client, job) == "completed"


def test_an_interrupt_by_id_stops_the_running_job_only(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client) as job:
        client.http.post("/interrupt", json={"prompt_id": AN_ID})
        assert client.history(job) is None
        client.http.post("/interrupt", json={"prompt_id": job})
        entry = client.wait(job)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    assert entry["outputs"] == {}
    assert status_of(client, job) == "cancelled"
    assert client.run(text_to_image())["status"]["completed"]


def test_an_interrupt_without_a_running_job_does_not_stop_the_next_one(client: Client) -> None:
    client.http.post("/interrupt")
    assert client.run(text_to_image())["status"]["completed"]


def test_an_interrupt_of_a_waiting_job_is_lost(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client):
        waiting = client.queue(text_to_image(seed=2))
        client.http.post("/interrupt", json={"prompt_id": waiting})
    assert client.wait(waiting)["status"]["completed"]


def test_jobs_wait_in_the_order_of_their_numbers(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client) as first:
        second, third = client.queue(text_to_image(seed=2)), client.queue(text_to_image(seed=3))
        urgent = client.queue(text_to_image(seed=4), front=True)
        pending = client.http.get("/queue").json()["queue_pending"]
        assert [entry[1] for entry in pending] == [urgent, second, third]
        jobs = client.http.get("/api/jobs?status=pending,in_progress").json()["jobs"]
        assert [job["id"] for job in jobs] == [urgent, third, second, first]


def test_a_deleted_and_a_cancelled_waiting_job_leave_no_trace(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client) as job:
        deleted, cancelled = client.queue(text_to_image(seed=2)), client.queue(text_to_image(seed=3))
        client.http.post("/queue", json={"delete": [deleted, job]})
        assert client.http.post(f"/api/jobs/{cancelled}/cancel").json() == {"cancelled": True}
        assert client.http.get("/prompt").json()["exec_info"]["queue_remaining"] == 1
        assert client.http.get(f"/api/jobs/{deleted}").status_code == 404
    assert client.wait(job)["status"]["completed"], "a running job is not deleted"
    assert client.history(deleted) is client.history(cancelled) is None


def test_a_cancelled_running_job_is_interrupted(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client) as job:
        assert client.http.post(f"/api/jobs/{job}/cancel").json() == {"cancelled": True}
        assert client.wait(job)["status"]["messages"][-1][0] == "execution_interrupted"


def test_the_same_id_twice_leaves_the_later_entry(client: Client) -> None:
    client.run(text_to_image(seed=1), prompt_id=AN_ID)
    client.post(text_to_image(seed=2), prompt_id=AN_ID)
    while (entry := client.wait(AN_ID))["prompt"][2]["3"]["inputs"]["seed"] == 1:
        pass
    assert list(client.http.get("/history").json()) == [AN_ID]
    assert entry["status"]["completed"]


def test_the_history_and_the_list_of_jobs_give_the_newest_entries(client: Client) -> None:
    jobs = [client.queue(text_to_image(seed=seed)) for seed in range(3)]
    client.wait(jobs[-1])
    assert list(client.http.get("/history?max_items=2").json()) == jobs[1:]
    page = client.http.get("/api/jobs?status=completed&limit=1").json()
    assert [job["id"] for job in page["jobs"]] == jobs[-1:]
    assert page["pagination"] == {"offset": 0, "limit": 1, "total": 3, "has_more": True}


def test_a_repeated_prompt_reports_the_old_file_even_if_it_is_another_jobs(
    comfyui: FakeComfyUi, client: Client
) -> None:
    first = client.run(text_to_image(), client_id="me")
    name = first["outputs"]["9"]["images"][0]["filename"]
    (comfyui.folders["output"] / name).unlink()
    assert client.run(text_to_image(), client_id="me")["outputs"] == first["outputs"]
    assert client.http.get("/view", params=first["outputs"]["9"]["images"][0]).status_code == 404
    assert client.run(text_to_image())["outputs"] == {}, "without a client id, it reports nothing"


def test_with_the_cache_of_all_prompts_a_repeated_prompt_shows_the_picture_of_another() -> None:
    with running(**QUICK, cache="lru") as fake:
        client = Client(fake.url)
        first = client.run(text_to_image(text="mine"), client_id="me")
        (fake.folders["output"] / first["outputs"]["9"]["images"][0]["filename"]).unlink()
        client.run(text_to_image(text="another's"), client_id="other")
        picture_recipe = recipe.read(client.image(client.run(text_to_image(text="mine"), client_id="me")))
    assert picture_recipe is not None
    assert picture_recipe["prompt"] == "another's"


def test_a_fresh_unknown_input_makes_an_output_node_run_again(client: Client) -> None:
    names = []
    for nonce in ("a", "b"):
        flow = text_to_image()
        flow["9"]["inputs"]["sd_on_ecs"] = nonce
        entry = client.run(flow, client_id="me")
        names.append(entry["outputs"]["9"]["images"][0]["filename"])
    assert names == ["it_00001_.png", "it_00002_.png"]
    assert sorted(entry["status"]["messages"][1][1]["nodes"]) == ["3", "4", "5", "6", "7", "8"]


def test_a_replaced_model_is_stale_until_memory_is_freed(comfyui: FakeComfyUi, client: Client) -> None:
    def digest(seed: int) -> Any:
        return client.run_and_read_recipe(text_to_image(seed=seed))["model_digest"]

    before = digest(1)
    write_checkpoint(comfyui.folders["models"] / "checkpoints" / CHECKPOINT, b"another")
    assert digest(2) == before
    client.http.post("/free", json={"unload_models": True, "free_memory": True})
    assert digest(3) != before


def test_a_new_model_is_listed_at_once_and_a_removed_one_is_refused(
    comfyui: FakeComfyUi, client: Client
) -> None:
    path = write_checkpoint(comfyui.folders["models"] / "checkpoints/new/deep/x.safetensors")
    assert "new/deep/x.safetensors" in client.http.get("/models/checkpoints").json()
    flow = text_to_image()
    flow["4"]["inputs"]["ckpt_name"] = "new/deep/x.safetensors"
    assert client.run(flow)["status"]["completed"]
    path.unlink()
    refusal = client.post(flow).json()
    assert refusal["node_errors"]["4"]["errors"][0]["type"] == "value_not_in_list"


def test_every_prompt_is_refused_while_a_model_folder_is_gone(comfyui: FakeComfyUi, client: Client) -> None:
    flow = {"4": text_to_image()["4"]}
    flow["9"] = node("CheckpointSave", model=["4", 0], clip=["4", 1], vae=["4", 2])
    flow["9"]["inputs"]["filename_prefix"] = "checkpoints/planted"
    assert client.run(flow)["outputs"] == {}
    assert "planted_00001_.safetensors" in client.http.get("/models/checkpoints").json()
    shutil.rmtree(comfyui.folders["output"] / "checkpoints")
    assert client.http.get("/models/checkpoints").status_code == 500
    refusal = client.post(text_to_image())
    assert refusal.status_code == 400
    reason = refusal.json()["node_errors"]["4"]["errors"][0]
    assert reason["type"] == "exception_during_inner_validation"
    assert "No such file or directory" in reason["details"]
    (comfyui.folders["output"] / "checkpoints").mkdir()
    assert client.run(text_to_image())["status"]["completed"]


def test_the_number_of_a_removed_file_is_used_again(comfyui: FakeComfyUi, client: Client) -> None:
    def saved(seed: int) -> str:
        entry = client.run(text_to_image(seed=seed))
        return str(entry["outputs"]["9"]["images"][0]["filename"])

    output = comfyui.folders["output"]
    names = [saved(1), saved(2)]
    (output / names[0]).unlink()
    names.append(saved(3))
    (output / names[2]).unlink()
    names.append(saved(4))
    (output / "it_99999_.png").touch()
    names.append(saved(5))
    assert names == [*(f"it_0000{number}_.png" for number in (1, 2, 3, 3)), "it_100000_.png"]


@pytest.mark.parametrize("metadata", [True, False])
def test_png_files_contain_their_prompt_unless_metadata_is_off(*, metadata: bool) -> None:
    with running(**QUICK, metadata=metadata) as fake:
        client = Client(fake.url)
        extra: dict[str, Any] = {"extra_pnginfo": {"workflow": {"nodes": []}}}
        image = client.image(client.run(text_to_image(), extra_data=extra))
    assert set(image.info) == ({"prompt", "workflow"} if metadata else set())


def test_a_video_is_reported_under_images(client: Client) -> None:
    flow = text_to_image()
    flow["9"] = node("SaveWEBM", images=["8", 0], filename_prefix="v", codec="vp9", fps=8, crf=40)
    output = client.run(flow)["outputs"]["9"]
    assert output["animated"] == [True]
    assert output["images"][0]["filename"] == "v_00001_.webm"


def test_a_client_id_that_is_no_text_ends_the_process(comfyui: FakeComfyUi, client: Client) -> None:
    client.queue(text_to_image(), client_id={"a": 1})
    assert comfyui.process.wait(10) != 0


def test_the_same_number_and_id_twice_is_500_and_queued(comfyui: FakeComfyUi, client: Client) -> None:
    with held(comfyui, client):
        body = {"number": 5, "prompt_id": AN_ID}
        assert client.post(text_to_image(seed=1), **body).status_code == 200
        assert client.post(text_to_image(seed=2), **body).status_code == 500
        assert client.http.get("/prompt").json()["exec_info"]["queue_remaining"] == 3


def test_a_page_of_another_site_is_refused_and_one_of_its_own_is_not(client: Client) -> None:
    own = str(client.http.base_url).rstrip("/")
    assert client.http.get("/queue", headers={"origin": own}).status_code == 200
    assert client.http.get("/queue", headers={"origin": "http://evil.example"}).status_code == 403


def test_a_body_beyond_the_limit_is_refused_with_413() -> None:
    with running(**QUICK, max_upload_bytes=1000) as fake:
        answer = httpx.post(f"{fake.url}/upload/image", files={"image": ("a.png", b"x" * 1001)})
        assert (answer.status_code, answer.text) == (413, "Maximum request body size 1000 exceeded.")


def test_a_second_socket_of_a_client_is_deaf_after_the_first_closes(
    comfyui: FakeComfyUi, client: Client
) -> None:
    with listening(comfyui.url, "me") as first, listening(comfyui.url, "me") as second:
        job = client.queue(text_to_image(seed=1), client_id="me")
        second.wait_for("executing", node=None, prompt_id=job)
        assert set(first.types()) == {"status"}
        first.close()
        comfyui.control.wait(sockets_closed=1)
        later = client.run(text_to_image(seed=2), client_id="me")
        assert later["status"]["completed"]
        end_message = {"node": None, "prompt_id": later["prompt"][1]}
        assert not second.has("executing", end_message)


def test_a_socket_that_connects_during_a_job_gets_the_node_that_runs(
    comfyui: FakeComfyUi, client: Client
) -> None:
    with held(comfyui, client, client_id="me"), listening(comfyui.url, "me") as late_socket:
        late_socket.wait_for("executing", node="3")


def test_version_0_3_64_has_no_jobs_and_takes_any_id_and_repeats_names() -> None:
    with running(**QUICK, version="0.3.64") as fake:
        client = Client(fake.url)
        assert client.http.get("/api/jobs").status_code == 404
        assert client.http.post(f"/api/jobs/{AN_ID}/cancel").status_code == 405
        assert client.http.get("/system_stats").json()["system"]["comfyui_version"] == "0.3.64"
        first = client.run(text_to_image(), prompt_id="my task/1")
        assert client.run(text_to_image())["outputs"] == first["outputs"]


def test_version_0_3_64_checks_choices_of_newer_classes_only_when_they_run() -> None:
    with running(**QUICK, version="0.3.64") as fake:
        client = Client(fake.url)
        flow = {"1": node("LoadImage", image=client.upload("a.png", png()))}
        flow["2"] = node("UpscaleModelLoader", model_name="nope")
        flow["3"] = node("ImageUpscaleWithModel", upscale_model=["2", 0], image=["1", 0])
        flow["9"] = node("PreviewImage", images=["3", 0])
        kind, error_data = client.run(flow)["status"]["messages"][-1]
    assert (kind, error_data["exception_type"]) == ("execution_error", "FileNotFoundError")
    assert (
        error_data["exception_message"]
        == "Model in folder 'upscale_models' with filename 'nope' not found.\n"
    )


def test_version_0_3_64_has_no_outputs_of_nodes_that_save() -> None:
    flow = text_to_image()
    flow["30"] = node("PreviewImage", images=["9", 0])
    with running(**QUICK, version="0.3.64") as fake:
        answer = Client(fake.url).post(flow).json()
        outputs = Client(fake.url).wait(answer["prompt_id"])["outputs"]
    assert answer["node_errors"]["30"]["errors"][0]["type"] == "exception_during_validation"
    assert list(outputs) == ["9"]


def test_an_uploaded_image_that_changes_under_its_name_is_read_again(client: Client) -> None:
    flow = {"9": node("PreviewImage", images=["1", 0])}
    pixels = []
    for colour in ("red", "blue"):
        flow["1"] = node("LoadImage", image=client.upload("same.png", png(colour)))
        pixels.append(client.image(client.run(flow)).getpixel((0, 0)))
    assert pixels == [(255, 0, 0), (0, 0, 255)]
