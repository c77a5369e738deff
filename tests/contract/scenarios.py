"""The recordings as scenarios: each is replayed in the recorded order with a new fake."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.contract.replay import Make, Replay, image_server, make_models, quick_settings, replaying
from tests.support.recordings import recording

Scenario = Callable[[Replay], None]
SCENARIOS: dict[str, tuple[tuple[str, ...], Scenario]] = {}
SETTINGS_BY_SCENARIO: dict[str, dict[str, Any]] = {}


def scenario(*patterns: str, **settings: Any) -> Callable[[Scenario], Scenario]:
    """Register a scenario with the recordings that it covers."""

    def register(run: Scenario) -> Scenario:
        SCENARIOS[run.__name__] = (patterns, run)
        SETTINGS_BY_SCENARIO[run.__name__] = settings
        return run

    return register


def run_scenario(name: str, make: Make, folder: Path) -> dict[str, list[str]]:
    """Run a scenario and return the differences by recording."""
    settings = dict(SETTINGS_BY_SCENARIO[name])
    models = folder if settings.pop("no_models", False) else make_models(folder)
    with replaying(make, quick_settings(model_dir=models, **settings)) as replay:
        SCENARIOS[name][1](replay)
        return replay.notes_by_recording


def load_checkpoint(replay: Replay) -> None:
    """Load the checkpoint, as earlier scenarios did on the recorded server."""
    replay.send("10-txt2img-basic")


@scenario("01-*", "02-*", "03-*")
def a_cold_start(replay: Replay) -> None:
    """Nothing is loaded before the first generation, and no hash is known."""
    replay.play("01-preload-*", "01-first-txt2img-loads-model", "02-*", "03-*")
    replay.play("01-first-txt2img-loads-model-warmcache")


@scenario("10-*", "11-*", "12-*", "13-*", "14-*", "15-*", "16-*", "17-*", "18-*")
def requests_of_all_kinds(replay: Replay) -> None:
    """Valid, unusual and invalid requests to one server, whose options leak from one to the next."""
    replay.play("10-*", "11-txt2img-batch2-niter2", "11-txt2img-batch2-niter2-save_images")
    replay.play("11-txt2img-batch2-niter2-save_images-return_grid_false", "11-txt2img-do_not_save_grid*")
    replay.play("11-txt2img-batch1-save_images")
    replay.play("12-*", "13-*", "14-*", "15-*")
    replay.play("16-*", "17-*", "18-*")
    images_of_both = [replay.send("13-txt2img-same-seed-again")["json"]["images"] for _ in range(2)]
    replay.expect(
        "13-txt2img-same-seed-again", images_of_both[0], images_of_both[1], "the same request twice"
    )


@scenario("20-*", "21-*", "22-*")
def reference_images(replay: Replay) -> None:
    """Reference images in all encodings, masks, and URLs that the server fetches or refuses."""
    load_checkpoint(replay)
    replay.play("20-*", "21-*", "22-url-init-default", "22-options-set-restricted")
    with image_server() as address:
        replay.addresses.update({"127.0.0.1:7899": address, "127.0.0.1:7898": "127.0.0.1:9"})
        replay.play("22-url-init-after-option", "22-url-init-not-image")
        replay.addresses.clear()
        replay.addresses["127.0.0.1:7898"] = "127.0.0.1:9"
        name = "22-url-init-refused"
        answer = replay.send(name)
        answer["json"]["message"] = answer["json"]["message"].replace("port=9", "port=7898")
        replay.compare(name, answer)
        replay.play("22-url-init-no-dns")
    replay.addresses.clear()
    replay.play("22-options-enable_requests-false", "22-url-init-requests-disabled", "22-options-back")
    by_uri, bare = (
        replay.send(name)["json"]["images"] for name in ("20-img2img-data-uri", "20-img2img-basic")
    )
    replay.expect("20-img2img-data-uri", by_uri, bare, "the same image in a data URI")


@scenario("30-*", "31-*", "32-*", "33-*", "34-*")
def extras_and_texts(replay: Replay) -> None:
    """Upscaling, reading an image's infotext, captions."""
    load_checkpoint(replay)
    replay.play("30-*", "31-*", "32-*", "33-*", "34-*")
    name = "30-extra-single-upscaler-none"
    sent_image = recording(name)["request"]["json"]["image"]
    replay.expect(name, replay.send(name)["json"]["image"], sent_image, "an image that nothing was done to")


@scenario("40-*")
def options_without_a_lock(replay: Replay) -> None:
    """Options are set one by one without checks; one invalid value breaks reading for all clients."""
    load_checkpoint(replay)
    replay.send("11-txt2img-batch2-niter2-save_images-return_grid_false")
    replay.send("15-override-sd_vae-unknown")
    replay.play(
        "22-options-back", "40-options-post-empty", "40-options-post-null", "40-options-get-after-null"
    )
    replay.play("40-options-post-unknown-key", "40-options-post-partial-fail")
    options = replay.get("/sdapi/v1/options")
    applied = (options["jpeg_quality"], options["webp_lossless"])
    replay.expect("40-options-post-partial-fail", applied, (77, False), "what was set before the failing key")
    replay.play("40-options-post-wrong-type", "40-options-get-after-wrong-type", "40-options-post-restore")
    replay.play("40-options-post-list")
    del replay.notes_by_recording["22-options-back"]


@scenario("41-*", "42-*", "43-*")
def names_of_checkpoints(replay: Replay) -> None:
    """Only exact names count: an unknown one is refused as an option, but silently ignored as an override."""
    for name in ("10-txt2img-basic", "42-override-checkpoint-no_ext"):
        replay.send(name)
    log = "41-checkpoint-name-matching-post-options"
    for row in recording(log)["rows"]:
        replay.options(sd_model_checkpoint=row["start"])
        value = replay.to_this_machine(row["value"]) if isinstance(row["value"], str) else row["value"]
        answer = replay.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": value})
        actual = (answer.status_code, replay.to_recorded(answer.text))
        replay.expect(log, actual, (row["status"], row["response"]), f"POST {row['kind']}")
        previous = replay.get("/sdapi/v1/options")["sd_model_checkpoint"]
        previous = replay.to_recorded(previous) if isinstance(previous, str) else previous
        replay.expect(log, previous, row["option_after"], f"the option after {row['kind']}")
    replay.options(sd_model_checkpoint="other-random-v1-5.safetensors")
    for row in recording("42-checkpoint-override-summary")["rows"]:
        replay.play(f"42-override-checkpoint-{row['kind']}")
        option = replay.get("/sdapi/v1/options")["sd_model_checkpoint"]
        replay.expect("42-checkpoint-override-summary", option, row["option_after"], row["kind"])
    replay.play("43-override-restore-true", "43-next-without-override-after-restore")
    replay.play("43-override-restore-false", "43-next-without-override-after-no-restore")


@scenario("44-*", "50-*", "51-*", "52-*", "53-*", "57-*")
def overrides_that_leak(replay: Replay) -> None:
    """An option that was never set is not restored; image formats are read after the restoring."""
    load_checkpoint(replay)
    replay.play("50-basic")
    for name in ("jpg", "jpeg", "webp", "avif", "tiff", "PNG", "empty"):
        replay.play(f"50-override-samples_format-{name}")
        replay.options(samples_format="" if name == "empty" else name)
        replay.play(f"50-options-samples_format-{name}")
    replay.play("50-extra-single-with-bad-format")
    replay.options(samples_format="webp")
    replay.play("50-options-webp-extra-single")
    replay.options(samples_format="png")
    replay.play("50-override-samples_format-jpg-norestore")
    replay.options(samples_format="png", enable_pnginfo=False)
    replay.play("51-options-*")
    replay.options(enable_pnginfo=True)
    replay.play("51-override-*")
    replay.options(return_grid=False)
    replay.play("52-return_grid-false-save_images")
    replay.options(return_grid=True, jpeg_quality=80)
    replay.play("52-save_images-send_images-false", "53-*")
    log = "44-override-restore-leak"
    for row in recording(log)["rows"]:
        option = row["option"]
        before = replay.get("/sdapi/v1/options")[option]
        replay.play(f"44-override-leak-{option}", f"44-override-leak-{option}-next")
        after = replay.get("/sdapi/v1/options")[option]
        replay.expect(
            log, (before, after), (row["before"], row["after_restore"]), f"{option} before and after"
        )
    replay.play("57-*")


@scenario("54-*", "55-*", "56-*", "99-healthy")
def corrupt_checkpoints(replay: Replay) -> None:
    """After a checkpoint failed to load, all jobs fail until another good one is loaded."""
    folder = replay.components.settings.model_dir or Path()
    for name in ("10-txt2img-basic", "42-override-checkpoint-no_ext", "42-override-checkpoint-nested_base"):
        replay.send(name)
    load_checkpoint(replay)
    (folder / "truncated.safetensors").write_bytes(b"\xff" * 100)
    (folder / "broken.safetensors").write_bytes(b"")
    replay.play("54-new-file-before-refresh", "54-refresh-checkpoints", "54-refresh-checkpoints-nobody")
    replay.play("54-sd-models")
    for kind in ("broken", "truncated"):
        replay.play(f"55-{kind}-checkpoint-override", f"55-{kind}-next-request-original-model")
        replay.play(f"55-{kind}-memory", f"55-{kind}-progress")
        replay.play(f"55-{kind}-switch-to-third-model", f"55-{kind}-then-original")
    replay.play("55-refresh-after-remove", "56-unload-checkpoint", "56-memory-after-unload")
    replay.play("56-txt2img-after-unload", "56-refresh-vae", "56-reload-checkpoint")
    _make_unhealthy(replay, folder)
    replay.play("99-healthy")


def _make_unhealthy(replay: Replay, folder: Path) -> None:
    log = "55-poisoned-worker-log"
    rows = [row for row in recording(log)["log"] if row[0] != "on disk now"]
    (folder / "half.safetensors").write_bytes(b"\x10" + bytes(7) + b"{" * 4)
    replay.client.post("/sdapi/v1/refresh-checkpoints")
    plain = recording("10-txt2img-basic")["request"]["json"]
    for subject, status, _, expected in rows:
        body = dict(plain)
        if subject.startswith("override"):
            chosen = {"half.safetensors (": "half.safetensors", "half.safetensors again": "half.safetensors"}
            name = next((file for start, file in chosen.items() if start in subject), None)
            good = "tiny-random-v1-5" if "another" in subject else "other-random-v1-5"
            body["override_settings"] = {"sd_model_checkpoint": name or good}
        if subject.startswith("after unload"):
            for route in ("unload-checkpoint", "reload-checkpoint", "refresh-checkpoints"):
                replay.client.post(f"/sdapi/v1/{route}")
        if subject == "GET progress":
            answer = replay.client.get("/sdapi/v1/progress")
        elif subject == "extra-single-image":
            body = recording("30-extra-single")["request"]["json"]
            answer = replay.client.post("/sdapi/v1/extra-single-image", json=body)
        else:
            answer = replay.client.post("/sdapi/v1/txt2img", json=body)
        replay.expect(log, (answer.status_code, _summary(answer.json())), (status, expected), subject)
        if status != 200 and "of 2.1 GB" in subject:
            on_disk = sorted(path.name for path in folder.glob("half*"))
            replay.expect(log, on_disk, ["half.safetensors.corrupted"], "on disk")


def _summary(body: dict[str, Any]) -> Any:
    """Return the message of a failure, or the model of a success."""
    return body.get("message") or (json.loads(body["info"])["sd_model_name"] if "info" in body else None)
