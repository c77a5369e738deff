"""A runtime of each type for one run of a task: its resources, its fake engines, and the final checks."""

import io
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from PIL import Image

from container.consumer.engines.comfyui.job_files import AGAIN_SECONDS
from domain.row import Row, Status
from local.emulator import Emulator
from local.fakes.comfyui import recipe
from local.fakes.comfyui.process import FakeComfyUi, start, write_checkpoint
from local.fakes.process import FakeServer
from tests.support.cloud import Cloud, make_cloud
from tests.support.comfyui import image_to_image, node, png

FOLDERS: Final = ("models", "input", "output", "temp")
TASK_FOLDERS: Final = ("input", "output", "temp")
"""The folders that hold files of tasks."""

MODEL: Final = "own.safetensors"
CLEANUP_SECONDS: Final = AGAIN_SECONDS[0] + 10
FAKE_OPTIONS: Final[dict[str, Any]] = {"step_seconds": 0.02, "load_seconds": 0.02}


class Scene(Protocol):
    """One runtime; `first` is the engine beside the first worker."""

    cloud: Cloud
    first: FakeServer

    def second_engine(self) -> FakeServer:
        """Return the engine of a second worker beside the first one."""

    def settings(self, engine: FakeServer) -> dict[str, Any]:
        """Return the settings of a consumer beside an engine."""

    def submit(self, task_id: str) -> None:
        """Submit a task."""

    def replace_model(self) -> None:
        """Replace the model of all tasks under its name."""

    def check(self, row: Row) -> None:
        """Assert that a completed task has the pictures that it asked for."""

    def remaining_on_engines(self) -> list[str]:
        """Return what is left of tasks on the engines."""


OpenScene = Callable[[str, str], AbstractContextManager[Scene]]
"""Opens a scene for a runtime type and a stage."""


class SdWebUiScene:
    """A runtime of SD Web UI, on a fake that other scenes use too."""

    def __init__(self, aws: Emulator, webui: FakeServer) -> None:
        self.cloud = make_cloud(aws)
        self.first = webui

    def second_engine(self) -> FakeServer:
        """Return the same fake, which queues jobs as SD Web UI does."""
        return self.first

    def settings(self, _engine: FakeServer) -> dict[str, Any]:
        """Return no settings beside the defaults."""
        return {}

    def submit(self, task_id: str) -> None:
        """Submit a task for one image of a text."""
        self.cloud.submit(task_id)

    def replace_model(self) -> None:
        """Do nothing: all tasks use the model of the image."""

    def check(self, row: Row) -> None:
        """Assert that the image is of the task's own text."""
        (link,) = row.item["images"]
        text = str(Image.open(io.BytesIO(_read(self.cloud, link))).info["parameters"])
        assert text.startswith(f"{row.id}\n"), text

    def remaining_on_engines(self) -> list[str]:
        """Return nothing: SD Web UI keeps no file of a task."""
        return []


class ComfyUiScene:
    """A runtime of ComfyUI, with a fake for each worker: workers expect to be the only client."""

    def __init__(self, aws: Emulator, folder: Path, stack: ExitStack) -> None:
        self.cloud = make_cloud(aws)
        self._folder = folder
        self._stack = stack
        self.engines: list[FakeComfyUi] = []
        self._s3 = self.cloud.client("s3")
        self.model_version = 0
        self.replace_model()
        self._s3.put_object(Bucket=self.cloud.output_bucket, Key="input.png", Body=png("green"))
        self.first: FakeServer = self.second_engine()

    def second_engine(self) -> FakeComfyUi:
        """Start one more fake with folders of its own."""
        root = self._folder / f"engine-{len(self.engines)}"
        (root / "models" / "checkpoints").mkdir(parents=True)
        engine = start(**(FAKE_OPTIONS | {name: root / name for name in FOLDERS}))
        self.engines.append(engine)
        self._stack.callback(engine.kill)
        return engine

    def restart(self) -> None:
        """Start the first fake again in its place, as ECS restarts a container."""
        old_engine = self.engines[0]
        engine = start(port=old_engine.port, **FAKE_OPTIONS, **old_engine.folders)
        self._stack.callback(engine.kill)
        self.engines[0] = self.first = engine

    def settings(self, engine: FakeServer) -> dict[str, Any]:
        """Return the settings of a worker that shares its folders with the fake, and has a model bucket."""
        root = Path(engine.options["files_dir"])
        return {
            "runtime_type": "comfyui",
            "runtime_options": dict(engine.options),
            "dynamic_model": True,
            "model_bucket": self.cloud.deployment.environment.model_bucket,
            "model_dir": root / "models",
            "model_lookup_seconds": 0,
        }

    def submit(self, task_id: str) -> None:
        """Submit a task that needs an input and a model, and has a stored output and a temporary one."""
        link = f"s3://{self.cloud.output_bucket}/input.png"
        workflow = image_to_image("input.png", text=task_id, seed=_seed(task_id))
        workflow["4"]["inputs"]["ckpt_name"] = MODEL
        workflow["10"] = node("PreviewImage", images=["8", 0])
        self.cloud.submit_content(task_id, "pipeline", {"prompt": workflow, "files": {"input.png": link}})

    def replace_model(self) -> None:
        """Replace the model of all tasks in the bucket."""
        self.model_version += 1
        file = write_checkpoint(self._folder / "new" / MODEL, b"version %d" % self.model_version)
        bucket = self.cloud.deployment.environment.model_bucket
        self._s3.put_object(Bucket=bucket, Key=f"checkpoints/{MODEL}", Body=file.read_bytes())

    def check(self, row: Row) -> None:
        """Assert that the image is of the task's own text, seed, input and model."""
        (link,) = row.item["images"]
        facts = recipe.read(Image.open(io.BytesIO(_read(self.cloud, link))))
        assert facts is not None, row
        assert (facts["prompt"], facts["seed"], facts["model"]) == (row.id, _seed(row.id), MODEL)
        assert facts["reference"], facts
        assert self.cloud.output_document(row.id)["seeds"] == {"3.seed": _seed(row.id)}

    def remaining_on_engines(self) -> list[str]:
        """Return the files of tasks, and the entries of the history, that are still on a fake."""
        remaining = []
        for engine in self.engines:
            for name in TASK_FOLDERS:
                remaining += [str(path) for path in engine.folders[name].rglob("*")]
            if engine.process.returncode is None:
                remaining += httpx.get(f"{engine.url}/history").json()
        return remaining

    def prompt_count(self) -> int:
        """Return how many prompts the running fakes have received."""
        return sum(int(engine.control.stats()["posted"]) for engine in self.engines)


def check_completed_once(cloud: Cloud, task_id: str) -> Row:
    """Assert that row, callbacks, objects and queues show one outcome of a task: its completion."""
    cloud.receive_callbacks()
    row = cloud.row(task_id)
    assert row.status is Status.COMPLETED, row.item
    outcome_callbacks = [
        callback for callback in cloud.callbacks_by_task[task_id] if callback["result"] is not None
    ]
    outcomes = {(callback["status"], tuple(callback["image_url"])) for callback in outcome_callbacks}
    assert outcomes == {("completed", tuple(row.item["images"]))}
    cloud.wait_until(lambda: cloud.has_exactly_its_objects(cloud.row(task_id)))
    assert cloud.row(task_id).notified
    assert cloud.message_counts(cloud.dead_letter_url) == (0, 0)
    return row


def _seed(task_id: str) -> int:
    return sum(task_id.encode())


def _read(cloud: Cloud, link: str) -> bytes:
    bucket, key = link.removeprefix("s3://").split("/", 1)
    data: bytes = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def wait_until_removed(scene: Scene) -> None:
    """Wait until no engine has anything of a task, which is removed shortly after its outcome."""
    deadline = time.monotonic() + CLEANUP_SECONDS
    while remaining := scene.remaining_on_engines():
        assert time.monotonic() < deadline, remaining
        time.sleep(0.1)
