"""Each command of `sd-on-ecs`, in a process of its own, against the pipeline."""

import hashlib
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.fakes import media
from local.fakes.comfyui import recipe
from local.pipeline import Pipeline
from tests.support import bodies
from tests.support.client_command import PROGRAM, Command
from tests.support.comfyui import node
from tests.support.pipeline import EXAMPLES

SMALL = ("--runtime", "sdruntime", "--steps", "2", "--width", "64", "--height", "64")


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def test_txt2img_writes_the_paths_of_the_images_that_it_has_downloaded(
    command: Command, task_id: str, tmp_path: Path
) -> None:
    done = command("txt2img", "a cat", *SMALL, "--id", task_id, "-n", "2", "-o", "cats")
    paths = done.stdout.splitlines()
    assert [path.rsplit("-", 1)[1] for path in paths] == ["1.png", "2.png"]
    for path in paths:
        with Image.open(tmp_path / path) as image:
            assert image.size == (64, 64)
    assert f"id         {task_id}" in command("status", task_id).stdout
    assert json.loads(command.inside("status", task_id, "--json").stdout)["progress"] == 1
    assert command("download", task_id, "-o", "again").stdout == done.stdout.replace("cats/", "again/")
    assert len(command.inside("download", task_id, "--document").stdout.splitlines()) == 3


def test_img2img_uploads_its_image_and_its_mask(command: Command, pipeline: Pipeline, task_id: str) -> None:
    drawn = ("img2img", "a wizard", "cat.png", "--mask", "cat.png", "--strength", "0.5")
    done = command(*drawn, *SMALL, "--id", task_id, "--json", "--metadata", f"prefix=p/{task_id}")
    answer = json.loads(done.stdout)
    assert answer["output_location"] == f"s3://{pipeline.output_bucket}/p/{task_id}/{task_id}"
    (path,) = answer["files"]
    with Image.open(command.folder / path) as image:
        assert image.info["parameters"].startswith("a wizard\n")
        assert "Denoising strength: 0.5" in image.info["parameters"]
        assert "Mask blur" in image.info["parameters"]


def test_upscale_enlarges_a_file(command: Command, tmp_path: Path) -> None:
    done = command("upscale", "cat.png", "--runtime", "sdruntime", "--upscaler", "Lanczos")
    with Image.open(tmp_path / done.stdout.strip()) as larger, Image.open(tmp_path / "cat.png") as original:
        assert larger.size == (2 * original.width, 2 * original.height)


def test_workflow_sets_inputs_and_uploads_files(command: Command, tmp_path: Path) -> None:
    graph = example("v1alpha2-comfyui-image-to-image")["task"]["content"]["prompt"]
    (tmp_path / "flow.json").write_text(json.dumps(graph))
    options = ("--set", "6.text=a mill", "--set", "3.seed=7", "--image", "1=cat.png", "--output", "9")
    done = command("workflow", "flow.json", *options)
    with Image.open(tmp_path / done.stdout.strip()) as image:
        drawn = str(recipe.read(image))
    assert "a mill" in drawn
    assert "'seed': 7" in drawn


def test_workflow_uploads_a_video(command: Command, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(media.mp4(64, 64, 3))
    graph = {
        "1": node("LoadVideo", file="clip.mp4"),
        "2": node("SaveVideo", video=["1", 0], filename_prefix="out", format="auto", codec="auto"),
    }
    (tmp_path / "flow.json").write_text(json.dumps(graph))
    done = command("workflow", "flow.json", "--image", "1.file=clip.mp4")
    assert (tmp_path / done.stdout.strip()).suffix == ".mp4"


def test_submit_takes_a_request_from_a_pipe_and_uploads_what_a_pointer_names(
    command: Command, task_id: str
) -> None:
    body = example("v1alpha2-image-to-image")
    body["task"]["metadata"]["id"] = task_id
    options = ("--image", "/task/content/init_images/0=cat.png", "--set", "/task/content/steps=2", "--json")
    answer = json.loads(command("submit", "-", *options, text=json.dumps(body)).stdout)
    assert (answer["id"], answer["status"], len(answer["files"])) == (task_id, "completed", 1)


def test_submit_takes_a_request_of_the_older_version(command: Command, task_id: str) -> None:
    body = bodies.v1alpha1(task_id, "text-to-image", bodies.text_to_image())
    assert task_id in command("submit", "-", text=json.dumps(body)).stdout


def test_a_sweep_makes_a_task_for_each_combination_and_a_contact_sheet(
    command: Command, task_id: str, tmp_path: Path
) -> None:
    varied = ("--vary", "seed=1..2", "--vary", "cfg_scale=5,7.5")
    done = command("txt2img", "a cat", *SMALL, "--id", task_id, *varied, "--json")
    answer = json.loads(done.stdout)
    assert [task["id"] for task in answer["tasks"]] == [f"{task_id}-{number}" for number in range(1, 5)]
    assert answer["tasks"][1]["values"] == {"seed": "1", "cfg_scale": "7.5"}
    assert answer["tasks"][1]["context"] == {"batch": task_id, "values": answer["tasks"][1]["values"]}
    assert all(len(task["files"]) == 1 for task in answer["tasks"])
    with Image.open(tmp_path / answer["contact_sheet"]) as sheet:
        assert sheet.width < sheet.height  # two columns of squares, each with labels below


def test_a_sweep_over_a_field_that_does_not_exist_is_refused(command: Command, task_id: str) -> None:
    done = command.inside("txt2img", "a cat", *SMALL, "--id", task_id, "--vary", "sed=1..2", status=2)
    assert "--vary sed: " in done.stderr
    assert "seed" in done.stderr
    assert json.loads(command.inside("status", f"{task_id}-1", "--json").stdout)["status"] != "queued"
    assert "There is no task" in command.inside("status", f"{task_id}-2", status=3).stderr


@pytest.mark.usefixtures("queue_at_rest")
def test_queued_tasks_are_listed_and_cancelled(command: Command, task_id: str, tmp_path: Path) -> None:
    graph = example("v1alpha2-comfyui-text-to-image")["task"]["content"]
    (tmp_path / "flow.json").write_text(json.dumps(graph))
    for name in ("a", "b"):
        done = command.inside("workflow", "flow.json", "--id", f"{task_id}-{name}", "--no-wait")
        assert done.stdout == f"{task_id}-{name}\n"
    listed = json.loads(command("list", "--runtime", "comfyruntime", "--status", "queued", "--json").stdout)
    assert [task["id"] for task in listed[:2]] == [f"{task_id}-b", f"{task_id}-a"]
    # Ids are copied, so they are never cut off.
    narrow = command.inside("list", "--limit", "1", environment={"COLUMNS": "40"})
    assert f"{task_id}-b  queued" in narrow.stdout
    refused = command.inside("download", f"{task_id}-a", status=2)
    assert refused.stderr.startswith(f"sd-on-ecs: {task_id}-a has not ended, it is queued, next")
    waited = command.inside("workflow", "flow.json", "--id", f"{task_id}-a", "--timeout", "0", status=6)
    assert "it goes on" in waited.stderr
    done = command("cancel", f"{task_id}-a", f"{task_id}-b")
    assert done.stdout == f"{task_id}-a cancelled\n{task_id}-b cancelled\n"


def test_a_task_that_fails_ends_the_command_with_its_error(command: Command, task_id: str) -> None:
    done = command("txt2img", "a <lora:nowhere:1>", *SMALL, "--id", task_id, status=1)
    assert done.stderr.startswith(f"sd-on-ecs: {task_id} failed: /prompt: there is no LoRA named 'nowhere'")
    assert done.stdout == ""
    assert "model_not_found" in command.inside("download", task_id, status=1).stderr


def test_a_refused_request_names_all_its_faults(command: Command) -> None:
    done = command.inside(
        "txt2img", "a cat", "--runtime", "sdruntime", "--set", "steps=x", "--width", "1", status=3
    )
    assert done.stderr.splitlines() == [
        "sd-on-ecs: The task has 2 faults.",
        "  /task/content/steps: an integer is expected",
        "  /task/content/width: must be from 8 to 65536",
    ]


def test_runtimes_are_listed_with_what_their_tasks_may_name(
    command: Command, pipeline: Pipeline, task_id: str
) -> None:
    assert "sdruntime     sdwebui  v1-5-pruned-emaonly.safetensors" in command("runtimes").stdout
    bucket, key = pipeline.deployment.outputs["ModelBucket"], f"Lora/{task_id}.safetensors"
    pipeline.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"weights")
    named = ("runtimes", "sdruntime", "--kind", "lora", "--query", task_id)
    shown = command.inside(*named).stdout
    assert f"lora  {task_id}" in shown
    assert "samplers: " in shown
    assert len(json.loads(command.inside(*named, "--json").stdout)["models"]) == 1


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"TMPDIR": "/nonexistent"}, 4, "no endpoint is known: run `sd-on-ecs login STACK`"),
        ({"SD_ON_ECS_KEY": "unknown"}, 4, "The header x-api-key is missing, or the key is unknown."),
        ({"SD_ON_ECS_PROFILE": "elsewhere"}, 4, "there is no profile 'elsewhere'; the profiles are: none"),
    ],
)
def test_what_a_user_has_to_set_up_is_said(
    command: Command, pipeline: Pipeline, environment: dict[str, str], status: int, said: str
) -> None:
    environment |= (
        {"SD_ON_ECS_ENDPOINT": pipeline.deployment.api_url} if "SD_ON_ECS_KEY" in environment else {}
    )
    assert said in command.inside("runtimes", status=status, environment=environment).stderr


@pytest.mark.usefixtures("queue_at_rest")
def test_on_a_terminal_it_shows_the_place_in_the_queue_and_says_how_to_go_on_after_ctrl_c(
    command: Command, task_id: str
) -> None:
    flow = json.dumps(example("v1alpha2-comfyui-text-to-image")["task"]["content"])
    (command.folder / "flow.json").write_text(flow)
    command.inside("workflow", "flow.json", "--id", task_id, "--no-wait")
    with command.on_terminal(*PROGRAM, "workflow", "flow.json", "--id", f"{task_id}-b") as running:
        running.read_until("queued, 1 before it")
        running.interrupt()
        assert running.end() == 130
    assert f"{task_id}-b goes on" in running.written
    command.inside("cancel", task_id, f"{task_id}-b")


def test_login_makes_a_profile_that_only_its_owner_can_read(command: Command, pipeline: Pipeline) -> None:
    aws = pipeline.aws.environment({})
    wrong = command.inside("login", "Core", status=2, environment=aws)
    assert "AWS refused DescribeStacks" in wrong.stderr
    stack = pipeline.aws.client("cloudformation").list_stacks()["StackSummaries"][-1]["StackName"]
    own = command(
        "--endpoint", f"{pipeline.deployment.api_url}/", "login", stack, "--name", "mine", environment=aws
    )
    assert own.stdout.startswith(f"profile mine: {pipeline.deployment.api_url} (runtimes: sdruntime")
    further = command.inside(
        *("--endpoint", pipeline.deployment.api_url, "login", stack, "--name", "shop"),
        *("--key-name", "shop"),
        environment=aws,
    )
    assert further.stdout.startswith("profile shop: ")
    (file,) = (command.folder / "home").rglob("profiles.json")
    keys = {one["key"] for one in json.loads(file.read_text())["profiles"].values()}
    assert len(keys) == 2
    assert pipeline.deployment.api_key in keys
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Without a running `make local`, the first profile is the default.
    assert "sddynamic" in command.inside("runtimes", environment={"TMPDIR": "/nonexistent"}).stdout
    listed = command.inside("--profile", "mine", "models", "list", "--kind", "none", environment=aws)
    assert listed.stdout.split() == ["folder", "name", "bytes", "modified", "at"]


def test_models_are_uploaded_and_listed(command: Command, task_id: str, pictures: str) -> None:
    (command.folder / "style.safetensors").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    options = ("--kind", f"Lora/{task_id}", "--sha256", digest)
    done = command("models", "upload", "style.safetensors", *options)
    assert done.stdout == f"Lora/{task_id}/style.safetensors (7 bytes, SHA-256 {digest})\n"
    again = command.inside("models", "upload", "style.safetensors", *options, status=2)
    assert "--replace replaces it" in again.stderr
    link = command.inside(
        "models", "upload", f"{pictures}/cat.png", "--kind", f"wildcards/{task_id}", "--json"
    )
    size = (command.folder / "cat.png").stat().st_size
    assert json.loads(link.stdout)["key"] == f"wildcards/{task_id}/cat.png"
    assert (json.loads(link.stdout)["bytes"], json.loads(link.stdout)["skipped_bytes"]) == (size, 0)
    found = json.loads(command("models", "list", "--kind", "lora", "--json").stdout)
    assert f"{task_id}/style.safetensors" in [one["name"] for one in found]


def test_a_shell_completes_commands_and_runtimes(command: Command) -> None:
    script = command("completion", "bash").stdout
    asked = "COMP_WORDS=({}) COMP_CWORD={}; _sd_on_ecs_completion ./sd-on-ecs; echo ${{COMPREPLY[@]}}\n"
    program = command.folder / "sd-on-ecs"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sd_on_ecs "$@"\n')
    program.chmod(0o755)
    shell = script + asked.format("sd-on-ecs txt2", 1) + asked.format("sd-on-ecs txt2img --runtime sdd", 3)
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=command.folder,
        env=dict(command.environment),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"txt2img", b"sddynamic"]
