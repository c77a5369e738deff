"""Scenarios of what happens while a job runs: interrupts, queues, disconnects, changes by other clients."""

import base64
import concurrent.futures
import io
import json
from concurrent.futures import Future
from typing import Any

import httpx
from PIL import Image

from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.state import State
from tests.contract.big_images import huge_claim, noise
from tests.contract.compare import comparable_properties
from tests.contract.replay import HASHES_OF_TINY, Replay
from tests.contract.scenarios import SCENARIOS, load_checkpoint, run_scenario, scenario
from tests.support.recordings import recording

__all__ = ["NOT_SERVED", "SCENARIOS", "run_scenario"]

POOL_THREADS = 40


def send_and_hold(replay: Replay, name: str, at: float = 0.5) -> "Future[dict[str, Any]]":
    """Send a recorded request and wait until its job hangs, after the fraction `at` of its steps.

    Return the future response; the job goes on after `replay.control.clear()`.
    """
    replay.control.set("hang", jobs=1, at=at)
    answer = replay.send_later(name)
    replay.control.wait(held=1)
    return answer


def send_behind(replay: Replay, name: str) -> "Future[dict[str, Any]]":
    """Send a recorded request while a job runs and wait until it has arrived; return the future response."""
    arrived = replay.control.stats()["arrived"]
    answer = replay.send_later(name)
    replay.control.wait(arrived=arrived + 1)
    return answer


def send_and_disconnect(replay: Replay, name: str) -> None:
    """Send a recorded request, wait until it has arrived, and disconnect without reading the response."""
    arrived = replay.control.stats()["arrived"]
    replay.send_and_disconnect(name)
    replay.control.wait(arrived=arrived + 1)


def state_of(replay: Replay) -> dict[str, Any]:
    """Return the current state with its progress."""
    answer = replay.get("/sdapi/v1/progress")
    state: dict[str, Any] = {**answer.pop("state"), **answer}
    return state


def expect_state(replay: Replay, log: str, expected: dict[str, Any], subject: str) -> None:
    """Compare the current state with a recorded one, except for times."""
    actual = state_of(replay)
    keys = expected.keys() - {"eta_relative", "job_timestamp", "textinfo"}
    replay.expect(log, {k: actual[k] for k in sorted(keys)}, {k: expected[k] for k in sorted(keys)}, subject)


@scenario("60-*", "62-*", "63-*", "65-*")
def progress_and_interrupts(replay: Replay) -> None:
    """Progress is global; an interrupt stops the running job, which returns 200 with an unfinished image."""
    load_checkpoint(replay)
    _progress(replay)
    log = {
        row[1]: row[2] for row in recording("62-interrupt-log")["log"] if row[1] in ("before", "after", "end")
    }
    answer = send_and_hold(replay, "62-interrupted-job", 2 / 24)
    expect_state(replay, "62-interrupt-log", log["before"], "before")
    replay.play("62-interrupt")
    replay.compare("62-interrupted-job", answer.result())
    expect_state(replay, "62-interrupt-log", log["end"], "end")
    replay.expect("62-interrupt-log", (log["after"]["interrupted"],), (True,), "after")
    finished_job = replay.send("62-same-job-not-interrupted")
    replay.compare("62-same-job-not-interrupted", finished_job)
    half, full = answer.result()["json"]["images"][0], finished_job["json"]["images"][0]
    replay.expect("62-interrupted-job", (half != full,), (True,), "an interrupted image looks different")
    running_job = send_and_hold(replay, "63-int-A")
    queued = send_behind(replay, "63-int-B-queued")
    replay.play("63-interrupt")
    replay.compare("63-int-A", running_job.result())
    replay.compare("63-int-B-queued", queued.result())
    recorded_end = recording("63-interrupt-with-queued-log")["log"][-1][1:4]
    replay.expect(
        "63-interrupt-with-queued-log",
        ["done", "63-int-B-queued", queued.result()["status"]],
        recorded_end,
        "B",
    )
    skipped = send_and_hold(replay, "65-skip-job", 2 / 12)
    replay.play("65-skip")
    replay.control.clear()
    replay.compare("65-skip-job", skipped.result())
    replay.expect("65-skip-log", recording("65-skip-log")["log"][0][1:], ["skip", 200], "skip")


@scenario("64-*")
def an_idle_interrupt(replay: Replay) -> None:
    """An interrupt while nothing runs is shown until the next job begins, and does not affect that job."""
    replay.send("63-int-B-queued")
    replay.play("64-interrupt-idle")
    expect_state(
        replay, "64-interrupt-idle-log", recording("64-interrupt-idle-log")["log"][0][3], "afterwards"
    )
    replay.play("64-job-after-idle-interrupt")


def _progress(replay: Replay) -> None:
    """Check the computation of progress for each recorded sample, and the state while a job hangs."""
    log = "60-progress-during-job"
    for sample in recording(log)["samples"]:
        expected = sample["json"]
        state = State(
            **{k: expected["state"][k] for k in ("job_count", "job_no", "sampling_step", "sampling_steps")}
        )
        replay.expect(log, round(state.progress()[0], 9), round(expected["progress"], 9), "progress")
    for at, job in ((0.25, "Batch 1 out of 2"), (0.75, "Batch 2 out of 2")):
        answer = send_and_hold(replay, "60-progress-job", at)
        actual = replay.get("/sdapi/v1/progress")
        sample = recording(log)["samples"][0]["json"]
        replay.expect(
            log, (actual.keys(), actual["state"].keys()), (sample.keys(), sample["state"].keys()), "keys"
        )
        progress = (actual["state"]["job"], actual["state"]["job_count"], round(actual["progress"], 9))
        replay.expect(log, progress, (job, 2, at + 0.01), "a held job's progress")
        replay.control.clear()
        replay.compare("60-progress-job", answer.result())


@scenario("61-*", "66-*", "67-*")
def one_at_a_time(replay: Replay) -> None:
    """One job runs at a time in order of arrival; jobs of disconnected clients run too."""
    load_checkpoint(replay)
    running_job = send_and_hold(replay, "61-concurrent-A")
    second = send_behind(replay, "61-concurrent-B")
    third = send_behind(replay, "61-extra-single-during-job")
    actual = state_of(replay)
    expected = recording("61-concurrent-log")["log"][0][2]
    replay.expect(
        "61-concurrent-log",
        (actual["job"], actual["job_count"]),
        (expected["job"], expected["job_count"]),
        "job",
    )
    replay.expect(
        "61-concurrent-log", (second.done(), third.done()), (False, False), "an answer before its turn"
    )
    replay.control.clear()
    for name, answer in (("A", running_job), ("B", second)):
        replay.compare(f"61-concurrent-{name}", answer.result())
    replay.compare("61-extra-single-during-job", third.result())
    begun = [job["route"] for job in replay.control.jobs()][-3:]
    replay.expect("61-concurrent-log", begun, ["txt2img", "txt2img", "extras"], "the order of jobs")
    replay.control.set("hang", jobs=1)
    replay.send_and_disconnect("62-interrupted-job")
    replay.control.wait(held=1)
    last = send_behind(replay, "66-after-disconnect-B")
    replay.control.clear()
    replay.compare("66-after-disconnect-B", last.result())
    outcomes = [(job.get("seed"), job["outcome"]) for job in replay.control.jobs()][-2:]
    replay.expect("66-client-disconnect-log", outcomes, [(1234, "done"), (12, "done")], "the abandoned job")
    running_job = send_and_hold(replay, "67-A-running")
    send_and_disconnect(replay, "63-int-A")
    last = send_behind(replay, "67-C")
    replay.control.clear()
    replay.compare("67-A-running", running_job.result())
    replay.compare("67-C", last.result())
    seeds = [job.get("seed") for job in replay.control.jobs()][-3:]
    replay.expect("67-disconnect-while-queued-log", seeds, [13, 5, 15], "jobs, the abandoned one among them")
    replay.expect("61-concurrent-log", replay.control.stats()["max_running"], 1, "jobs at once")


@scenario("66b-*", load_seconds=1.0)  # long enough to be looked at on a machine with much to do
def interrupts_while_loading(replay: Replay) -> None:
    """While a model loads, `job_count` is -1, and an interrupt then results in no image."""
    replay.send("99-healthy")
    log = recording("66b-interrupt-log")["log"]
    answer = replay.send_later("66b-interrupt-during-model-load")
    replay.control.wait(model_loads=2)
    expect_state(replay, "66b-interrupt-log", log[0][2], "while loading")
    replay.client.post("/sdapi/v1/interrupt")
    replay.compare("66b-interrupt-during-model-load", answer.result())
    expect_state(replay, "66b-interrupt-log", log[5][2], "after")
    answer = send_and_hold(replay, "66b-interrupt-second-batch", 1 / 16)
    replay.client.post("/sdapi/v1/interrupt")
    replay.compare("66b-interrupt-second-batch", answer.result())
    readings = (log[7][5], log[7][6])
    replay.expect("66b-interrupt-log", ("images", len(answer.result()["json"]["images"])), readings, "images")


@scenario("70-*", "71-*")
def changed_meanwhile(replay: Replay) -> None:
    """Previews, and settings of another client that take effect in a running job."""
    for name in ("10-txt2img-basic", "42-override-checkpoint-no_ext", "10-txt2img-basic"):
        replay.send(name)
    replay.options(show_progress_every_n_steps=1)
    answer = send_and_hold(replay, "70-preview-job", 0.25)
    preview = replay.send("70-progress-with-current_image")
    replay.compare("70-progress-with-current_image", preview)
    replay.control.clear()
    replay.compare("70-preview-job", answer.result())
    replay.options(show_progress_every_n_steps=10)

    log = "71-global-state-changed-mid-job-log"
    answer = send_and_hold(replay, "71-job-A-samples_format-changed-midway")
    replay.expect(log, replay.options(samples_format="jpg"), recording(log)["log"][0][2], "options midway")
    replay.control.clear()
    replay.compare("71-job-A-samples_format-changed-midway", answer.result())
    replay.options(samples_format="png")

    answer = send_and_hold(replay, "71-job-B-model-changed-midway-n_iter2", 0.25)
    replay.options(sd_model_checkpoint="tiny-random-v1-5.safetensors")
    replay.control.clear()
    changed_response = answer.result()
    replay.compare("71-job-B-model-changed-midway-n_iter2", changed_response)
    replay.options(sd_model_checkpoint="other-random-v1-5.safetensors")
    references = [replay.send(f"71-job-B-reference-{kind}") for kind in ("not-changed", "on-tiny")]
    for kind, reference in zip(("not-changed", "on-tiny"), references, strict=True):
        replay.compare(f"71-job-B-reference-{kind}", reference)
    pixels = [
        _pixel_hash(response["json"]["images"][i])
        for response, i in ((changed_response, 0), (references[0], 0))
    ]
    replay.expect("71-job-B-model-changed-midway-n_iter2", pixels[0], pixels[1], "image 1")
    pixels = [_pixel_hash(response["json"]["images"][1]) for response in (changed_response, references[1])]
    replay.expect(
        "71-job-B-model-changed-midway-n_iter2", pixels[0], pixels[1], "image 2, of the other model"
    )

    answer = send_and_hold(replay, "71-job-C-unload-midway")
    status = replay.client.post("/sdapi/v1/unload-checkpoint").status_code
    replay.expect(log, status, recording(log)["log"][4][2], "unload midway")
    replay.control.clear()
    replay.compare("71-job-C-unload-midway", answer.result())
    answer = send_and_hold(replay, "71-job-D-refresh-midway")
    refresh = replay.pool.submit(replay.client.post, "/sdapi/v1/refresh-checkpoints")
    replay.control.wait(waiting=1)
    replay.expect(log, (refresh.done(),), (False,), "a refresh that does not wait")
    replay.control.clear()
    replay.compare("71-job-D-refresh-midway", answer.result())
    replay.expect(log, refresh.result().status_code, recording(log)["log"][7][3], "the refresh afterwards")


def _pixel_hash(image: str) -> str:
    described = comparable_properties(image, str)
    return f"{described['size']} {hash(Image.open(io.BytesIO(base64.b64decode(image))).tobytes())}"


@scenario("72-*")
def forty_threads(replay: Replay) -> None:
    """With 40 requests in flight, no route below /sdapi responds until a job ends, not even interrupt."""
    load_checkpoint(replay)
    running_job = send_and_hold(replay, "10-txt2img-basic")
    other_jobs = [replay.send_later("10-txt2img-basic") for _ in range(43)]
    replay.control.wait(waiting=POOL_THREADS - 1)
    stuck = replay.pool.submit(httpx.post, f"{replay.url}/sdapi/v1/interrupt", timeout=30)
    replay.expect("72-44-concurrent-log", replay.client.get("/openapi.json").status_code, 200, "openapi.json")
    finished_jobs, _ = concurrent.futures.wait([stuck], timeout=0.2)
    replay.expect(
        "72-threadpool-exhaustion-log", len(finished_jobs), 0, "an interrupt answered by a full server"
    )
    replay.control.clear()
    statuses = {answer.result()["status"] for answer in [running_job, *other_jobs]}
    replay.expect("72-44-concurrent-log", statuses, {200}, "all 44")
    replay.expect("72-threadpool-exhaustion-log", stuck.result().status_code, 200, "the interrupt afterwards")


@scenario("81-*", no_models=True, checkpoint="other-random-v1-5.safetensors")
def no_model(replay: Replay) -> None:
    """Without a model everything looks well; a file that is added later needs a refresh and an override."""
    folder = replay.components.settings.model_dir
    replay.addresses["/opt/emptyckpt"] = str(folder)
    ignored_fields = {"return_mask": True, "return_mask_composite": True, "sd_vae": "nope.safetensors"}
    replay.components.options.saved.update(
        ignored_fields, sd_checkpoint_hash=HASHES_OF_TINY[0]
    )  # config.json came from earlier runs
    replay.play(
        "81-nomodel-options", "81-nomodel-progress", "81-nomodel-sd-models", "81-nomodel-extra-single"
    )
    replay.play("81-nomodel-txt2img", "81-nomodel-txt2img-again")
    if folder:
        write_checkpoint(folder / "late.safetensors")
    replay.play(
        "81-nomodel-file-arrives-no-refresh", "81-nomodel-refresh", "81-nomodel-sd-models-after-refresh"
    )
    replay.play("81-nomodel-txt2img-after-refresh", "81-nomodel-txt2img-override-after-refresh")


@scenario(
    "82-auth-*", "82-progress-*", "82-server-restart", "82-server-stop", api_auth="u:p", server_stop=True
)
def with_a_password(replay: Replay) -> None:
    """Basic authentication, and the routes that should stop the server."""
    replay.play("82-auth-*", "82-server-stop", "82-progress-after-stop", "82-server-restart")


@scenario("83-webui-*", web_ui=True)
def with_the_page(replay: Replay) -> None:
    """With Web UI's page, `/` responds first, and tasks can be followed by name."""
    replay.control.set("not-ready")
    rows = recording("83-webui-readiness-race")["events"]
    for row in rows[1:3]:
        actual = [
            replay.client.get(path).status_code
            for path in recording("83-webui-readiness-race")["columns"][1:]
        ]
        replay.expect("83-webui-readiness-race", actual, row[1:], "the gap between / and /sdapi")
        replay.control.clear()
    replay.play("83-webui-txt2img-at-first-200-of-progress", "83-webui-txt2img", "83-webui-txt2img-second")
    replay.play("83-webui-internal-ping", "83-webui-pending-tasks", "83-webui-cmd-flags")
    running_job = send_and_hold(replay, "83-webui-job-A-task-id", 0.0)
    queued = send_behind(replay, "83-webui-job-B-task-id")
    replay.play(
        "83-webui-pending-while-running", "83-webui-internal-progress-A", "83-webui-internal-progress-B"
    )
    replay.play("83-webui-internal-progress-unknown")
    replay.control.clear()
    replay.compare("83-webui-job-A-task-id", running_job.result())
    replay.compare("83-webui-job-B-task-id", queued.result())
    replay.play("83-webui-internal-progress-A-after", "83-webui-error-shape-*", "83-webui-failing-task-id")
    replay.play("83-webui-internal-progress-X", "83-webui-pending-after-failure")


@scenario("84-*", error_flavor="a1111")
def automatic1111s_errors(replay: Replay) -> None:
    """The middleware of AUTOMATIC1111 returns errors in another form."""
    replay.play("84-*")


@scenario("90-*")
def big_inputs(replay: Replay) -> None:
    """Bodies of any size are accepted; an image with too many pixels is refused by its header."""
    load_checkpoint(replay)
    body = {**recording("20-img2img-basic")["request"]["json"], "steps": 1}
    for row, image in zip(recording("90-big-inputs")["rows"], (noise(1500), huge_claim(14000)), strict=True):
        body["init_images"] = [base64.b64encode(image).decode()]
        answer = replay.client.post("/sdapi/v1/img2img", json=body)
        error_text = answer.text if answer.status_code != 200 else "ok"
        replay.expect(
            "90-big-inputs", (answer.status_code, error_text), (row["status"], row["body"]), row["what"]
        )


@scenario("openapi")
def the_openapi_document(replay: Replay) -> None:
    """Request bodies have the recorded fields, types and defaults."""
    actual, expected = replay.get("/openapi.json"), recording("openapi")
    for path, methods in expected["paths"].items():
        if path not in NOT_SERVED:
            replay.expect("openapi", sorted(actual["paths"].get(path, {})), sorted(methods), path)
    for name in SCHEMAS:
        fields = {
            key: _client_properties(value)
            for key, value in expected["components"]["schemas"][name]["properties"].items()
        }
        own = {
            key: _client_properties(value)
            for key, value in actual["components"]["schemas"][name]["properties"].items()
        }
        replay.expect("openapi", json.dumps(own), json.dumps(fields), name)


NOT_SERVED = {  # training, and ControlNet's own tools: nothing that the pipeline would ask for
    "/sdapi/v1/create/embedding",
    "/sdapi/v1/create/hypernetwork",
    "/controlnet/control_types",
    "/controlnet/detect",
}
SCHEMAS = (
    "StableDiffusionProcessingTxt2Img",
    "StableDiffusionProcessingImg2Img",
    "ExtrasSingleImageRequest",
    "ExtrasBatchImagesRequest",
    "FileData",
    "PNGInfoRequest",
    "InterrogateRequest",
)


def _client_properties(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a field that matter to a client: type, default, bounds."""
    compared_keys = ("type", "default", "minimum", "maximum", "exclusiveMinimum", "enum")
    plain = {key: schema[key] for key in compared_keys if schema.get(key) is not None}
    plain["types"] = sorted(alternative.get("type", "") for alternative in schema.get("anyOf", []))
    return plain
