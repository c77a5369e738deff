"""Workflows through API, worker and a fake ComfyUI, with AWS in the emulator."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from container.consumer.shutdown import REPLACE_ENGINE
from domain.row import Status
from local.emulator import Emulator
from local.fakes import media
from local.fakes.model_file import write_checkpoint
from local.pictures import serve_folder
from tests.support.comfyui import image_to_image, node, png, text_to_image
from tests.support.comfyui_setup import OUTCOME_SECONDS, ComfyUiSetup


@pytest.fixture
def setup(aws: Emulator, tmp_path: Path) -> Iterator[ComfyUiSetup]:
    with ExitStack() as stack:
        yield ComfyUiSetup(aws, tmp_path, stack)


def test_text_becomes_an_image_with_a_receipt(setup: ComfyUiSetup) -> None:
    assert setup.submit("t", text_to_image(text="a mill", seed=-1)).status == 200
    setup.start_consumer()
    row = setup.until("t")
    (facts,) = setup.facts(row)
    assert "a mill" in str(facts)
    document = setup.document(row)
    assert document["seeds"]["3.seed"] >= 0
    assert document["comfyui"] == "0.27.0"
    (image,) = document["images"]
    assert (image["node"], image["class_type"], image["content_type"]) == ("9", "SaveImage", "image/png")
    assert setup.left_behind() == []


@pytest.mark.long
def test_an_image_arrives_by_http_s3_and_base64_alike(setup: ComfyUiSetup, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    data = png("green")
    (folder / "in.png").write_bytes(data)
    bucket = setup.cloud.environment.output_bucket
    setup.cloud.s3.put_object(Bucket=bucket, Key="in.png", Body=data)
    inline = base64.b64encode(data).decode()
    with serve_folder(folder) as address:
        links = {"http": f"{address}/in.png", "s3": f"s3://{bucket}/in.png", "base64": inline}
        for name, link in links.items():
            assert setup.submit(name, image_to_image(link)).status == 200
        assert setup.submit("named", image_to_image("cat.png"), files={"cat.png": inline}).status == 200
        setup.start_consumer()
        found = [setup.facts(setup.until(name)) for name in (*links, "named")]
    assert found == [found[0]] * 4
    assert setup.left_behind() == []


@pytest.mark.long
def test_a_mask_and_the_same_workflow_twice_give_what_was_asked_each_time(setup: ComfyUiSetup) -> None:
    flow = image_to_image(base64.b64encode(png("green", mode="RGBA")).decode())
    flow["11"] = node("SetLatentNoiseMask", samples=["5", 0], mask=["1", 1])
    flow["3"]["inputs"]["latent_image"] = ["11", 0]
    for name in ("first", "second"):
        answer = setup.submit(name, flow)
        assert answer.status == 200, answer.body
    setup.start_consumer()
    rows = [setup.until(name) for name in ("first", "second")]
    assert setup.facts(rows[0]) == setup.facts(rows[1])
    documents = [setup.document(row) for row in rows]
    assert documents[0]["prompt_id"] != documents[1]["prompt_id"]
    assert "9" not in documents[1]["cached_nodes"]


@pytest.mark.long
def test_two_output_nodes_give_numbered_images_in_the_order_asked_for(setup: ComfyUiSetup) -> None:
    flow = text_to_image() | {"10": node("SaveImage", images=["8", 0], filename_prefix="b")}
    assert setup.submit("t", flow, outputs=["10", "9"]).status == 200
    setup.start_consumer()
    row = setup.until("t")
    assert [one["node"] for one in setup.document(row)["images"]] == ["10", "9"]
    assert [link.rsplit("-", 1)[1] for link in row.item["images"]] == ["1.png", "2.png"]


@pytest.mark.long
def test_videos_sounds_and_texts_go_in_and_out(setup: ComfyUiSetup, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "in").write_bytes(media.mp4(64, 64, 3))
    sound = base64.b64encode(media.flac(b"a sound that is long enough")).decode()
    with serve_folder(folder) as address:
        flow = {
            "1": node("LoadVideo", file="clip.mov"),  # the content decides what it is
            "2": node("GetVideoComponents", video=["1", 0]),
            "3": node("LoadAudio", audio=sound),
            "4": node("CreateVideo", images=["2", 0], fps=8, audio=["3", 0]),
            "5": node("SaveVideo", video=["4", 0], filename_prefix="v", format="auto", codec="auto"),
            "6": node("SaveAudioMP3", audio=["2", 1], filename_prefix="a", quality="V0"),
            "7": node("PreviewAny", source=["2", 2]),
            "8": node("PreviewImage", images=["2", 0]),
        }
        answer = setup.submit("t", flow, files={"clip.mov": f"{address}/in"})
        assert answer.status == 200, answer.body
        setup.start_consumer()
        row = setup.until("t")
    assert row.status is Status.COMPLETED, row.item
    assert [link.rsplit("-", 1)[1] for link in row.item["images"]] == ["1.mp4", "2.mp3"]
    assert setup.read(row.item["images"][0])[4:8] == b"ftyp"
    document = setup.document(row)
    assert [(one["node"], one["media"], one["content_type"]) for one in document["images"]] == [
        ("5", "video", "video/mp4"),
        ("6", "audio", "audio/mpeg"),
    ]
    assert document["texts"] == [{"node": "7", "key": "text", "value": ["24.0"]}]
    (callback,) = setup.cloud.callbacks()
    assert [link.rsplit(".", 1)[1] for link in callback["image_url"]] == ["mp4", "mp3"]
    assert setup.left_behind() == []


@pytest.mark.long
def test_an_unknown_model_fails_without_the_gpu_and_a_model_of_the_bucket_is_fetched(
    setup: ComfyUiSetup,
) -> None:
    unknown, known = text_to_image(), text_to_image()
    unknown["4"]["inputs"]["ckpt_name"] = "nowhere.safetensors"
    known["4"]["inputs"]["ckpt_name"] = "new.safetensors"
    file = write_checkpoint(setup.root / "new.safetensors", b"new")
    bucket = setup.cloud.environment.model_bucket
    setup.cloud.s3.put_object(Bucket=bucket, Key="checkpoints/new.safetensors", Body=file.read_bytes())
    setup.start_consumer()
    for name, flow in (("unknown", unknown), ("known", known)):
        answer = setup.submit(name, flow)
        assert answer.status == 200, answer.body
    assert setup.until("unknown").item["error"]["code"] == "model_not_found"
    assert setup.facts(setup.until("known"))
    assert setup.fake.control.stats()["posted"] == 1


@pytest.mark.long
def test_a_model_replaced_under_its_name_is_loaded_again(setup: ComfyUiSetup) -> None:
    flow = text_to_image()
    flow["4"]["inputs"]["ckpt_name"] = "new.safetensors"
    bucket = setup.cloud.environment.model_bucket
    setup.start_consumer()
    for name in ("first", "second"):
        file = write_checkpoint(setup.root / "new.safetensors", name.encode())
        setup.cloud.s3.put_object(Bucket=bucket, Key="checkpoints/new.safetensors", Body=file.read_bytes())
        assert setup.submit(name, flow).status == 200
        setup.until(name)
    documents = [setup.document(setup.cloud.row(name)) for name in ("first", "second")]
    assert documents[0]["models"][0]["etag"] != documents[1]["models"][0]["etag"]
    # Otherwise it would be taken from the cache of nodes.
    assert setup.fake.control.stats()["frees"] == 1
    assert "4" not in documents[1]["cached_nodes"]


def test_three_faults_are_reported_at_once(setup: ComfyUiSetup) -> None:
    flow = text_to_image()
    flow["3"]["inputs"]["steps"] = 0
    flow["4"]["class_type"] = "CheckpointLoaderSimpel"
    flow["9"]["inputs"]["images"] = ["77", 0]
    answer = setup.submit("t", flow)
    assert answer.status == 400
    assert {
        "/task/content/prompt/3/inputs/steps",
        "/task/content/prompt/4/class_type",
        "/task/content/prompt/9/inputs/images",
    } <= set(answer.faults)


@pytest.mark.long
def test_an_error_of_the_gpu_replaces_the_server_twice_and_is_no_timeout(setup: ComfyUiSetup) -> None:
    setup.fake.control.set("error", jobs=2, kind="cuda")
    assert setup.submit("t", text_to_image()).status == 200
    for _ in range(2):
        assert setup.start_consumer().wait(OUTCOME_SECONDS) == REPLACE_ENGINE
    error = setup.until("t").item["error"]
    assert error["code"] == "engine_error"
    assert "KSampler" in error["message"]


def test_the_catalogue_shows_comfyuis_classes_and_models_and_a_submit_warns_by_them(
    setup: ComfyUiSetup,
) -> None:
    bucket = setup.cloud.environment.model_bucket
    setup.cloud.s3.put_object(Bucket=bucket, Key="loras/light.safetensors", Body=b"model")
    setup.start_consumer()
    assert setup.submit("first", text_to_image()).status == 200
    setup.until("first")
    runtime = setup.api("GET", f"/v1alpha2/runtimes/{setup.runtime.name}").body

    assert "KSampler" in runtime["engine"]["node_classes"]
    assert ("loras", "light.safetensors") in [(model["kind"], model["name"]) for model in runtime["models"]]
    assert runtime["workers"] == {"running": 1, "starting": 0}

    prompt = text_to_image()
    prompt["4"]["inputs"]["ckpt_name"] = "no-such.safetensors"
    refused = setup.submit("refused", prompt)
    assert (refused.status, refused.code) == (400, "unknown_model")
    prompt = text_to_image()
    prompt["20"] = {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {"model": ["4", 0], "lora_name": "lihgt.safetensors", "strength_model": 1.0},
    }
    prompt["3"]["inputs"]["model"] = ["20", 0]
    warnings = setup.submit("warned", prompt).body["warnings"]
    assert [warning["path"] for warning in warnings] == ["/task/content/prompt/20/inputs/lora_name"]
    assert setup.until("warned").status is Status.FAILED


@pytest.mark.long
def test_a_task_that_times_out_fails_after_one_attempt_and_the_same_worker_goes_on(
    setup: ComfyUiSetup,
) -> None:
    setup.fake.control.set("hang", jobs=1, at=0.5)
    assert setup.submit("hangs", text_to_image()).status == 200
    consumer = setup.start_consumer(inference_timeout_seconds=2)
    row = setup.until("hangs")
    assert (row.status, row.item["error"]["code"], row.attempts) == (Status.FAILED, "inference_timeout", 1)
    assert setup.submit("next", text_to_image(seed=2)).status == 200
    assert setup.facts(setup.until("next"))
    assert consumer.returncode is None
    assert setup.left_behind() == []


@pytest.mark.long
def test_a_task_of_which_comfyui_says_that_a_file_is_missing_fails_and_replaces_no_server(
    setup: ComfyUiSetup,
) -> None:
    setup.fake.control.set("rejected", jobs=2, kind="input-vanished")
    image = base64.b64encode(png("green")).decode()
    assert setup.submit("t", image_to_image(image)).status == 200
    consumer = setup.start_consumer()
    row = setup.until("t")
    assert (row.status, row.item["error"]["code"], row.attempts) == (Status.FAILED, "engine_unavailable", 2)
    assert setup.submit("next", text_to_image()).status == 200
    assert setup.facts(setup.until("next"))
    assert consumer.returncode is None
