"""`sync-models` downloads everything before SD Web UI starts, or says in one line why it cannot."""

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from container.consumer import sync_models
from container.consumer.engines.sdwebui.models.composition import compose_models
from container.consumer.model_store.settings import ModelSettings
from domain.errors import ErrorCode, PermanentError
from local.emulator import Emulator
from runtimes.sdwebui.model_names import KNOWN_FOLDERS
from tests.support.models import CKPT, FakeWebUi, ModelSetup, checkpoint

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    aws: Emulator,
    model_setup: ModelSetup,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that runs the command in this process; it returns the status and the output."""
    for name, value in aws.environment({}).items():
        monkeypatch.setenv(name, value)

    def once(**settings: Any) -> tuple[int, str]:
        status = sync_models.run(
            ModelSettings(
                **{"model_bucket": model_setup.bucket, "model_dir": str(model_setup.root), **settings}
            )
        )
        output = capsys.readouterr()
        return status, (output.out + output.err).strip()

    return once


def command(aws: Emulator, model_setup: ModelSetup, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as the container does."""
    environment = aws.environment() | {
        "MODEL_BUCKET": model_setup.bucket,
        "MODEL_DIR": str(model_setup.root),
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-m", "container.consumer", "sync-models"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_static_checkpoint_and_whole_folders_are_downloaded_once(
    aws: Emulator, model_setup: ModelSetup, run: Run
) -> None:
    own = "Ünï 模型 (v1).ckpt"
    for key in (f"{CKPT}/{own}", "ESRGAN/4x.pth", "embeddings/sub/neg.pt", "GFPGAN/notes.txt"):
        model_setup.put(key, b"x" * 1000)
    model_setup.put(f"{CKPT}/another.ckpt")
    folders = "ESRGAN, embeddings/,GFPGAN"
    first = command(aws, model_setup, MODEL_FILENAME=own, SYNC_FOLDERS=folders)
    assert first.returncode == 0, first.stderr
    pattern = r"sync-models: 4 files, 4 fetched, 4000 bytes in \d+\.\d\d s, \d+ MB/s"
    assert re.fullmatch(pattern, first.stdout.strip().splitlines()[-1])
    assert f"{CKPT}/{own}" in model_setup.files()
    assert f"{CKPT}/another.ckpt" not in model_setup.files()
    assert all((model_setup.root / folder).is_dir() for folder in KNOWN_FOLDERS)

    assert "4 files, 0 fetched, 0 bytes" in run(model_filename=own, sync_folders=folders)[1]
    model_setup.put("ESRGAN/4x.pth", b"y" * 1000)
    assert "4 files, 1 fetched, 1000 bytes" in run(model_filename=own, sync_folders=folders)[1]


def test_synced_files_are_never_evicted(model_setup: ModelSetup, run: Run) -> None:
    for name in ("own", "a", "b"):
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * 1000)
    assert run(model_filename="own.ckpt")[0] == 0
    settings = ModelSettings(
        model_bucket=model_setup.bucket, model_dir=str(model_setup.root), model_cache_bytes=2500
    )
    models = compose_models(settings, FakeWebUi(), dynamic=True)
    for name in "ab":
        models.ensure(checkpoint(name))
    assert model_setup.files() == [f"{CKPT}/b.ckpt", f"{CKPT}/own.ckpt"]
    model_setup.put(f"{CKPT}/big.ckpt", b"x" * 2000)
    with pytest.raises(PermanentError) as caught:
        compose_models(settings, FakeWebUi(), dynamic=True).ensure(checkpoint("big"))
    assert caught.value.code is ErrorCode.NO_SPACE_FOR_MODEL


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ({"model_filename": "Own.ckpt"}, "'own.ckpt'"),
        ({"model_filename": "own.ckpt", "model_cache_bytes": 10}, "too small"),
        ({"model_bucket": "nobody-made-this"}, "NoSuchBucket"),
        ({"model_dir": "/proc/nowhere"}, "MODEL_DIR"),
        ({"runtime_type": "nobodys"}, "RUNTIME_TYPE: one of sdwebui, comfyui is expected"),
    ],
)
def test_an_error_is_one_line_and_a_status_other_than_zero(
    model_setup: ModelSetup, run: Run, settings: dict[str, Any], output: str
) -> None:
    """With this status ECS does not start SD Web UI without its model."""
    model_setup.put(f"{CKPT}/own.ckpt", b"x" * 1000)
    status, text = run(**settings)
    assert status == 1
    assert text.startswith("sync-models: ")
    assert len(text.splitlines()) == 1
    assert output in text


def test_invalid_settings_are_named_in_one_line(aws: Emulator, model_setup: ModelSetup) -> None:
    completed = command(aws, model_setup, MODEL_CACHE_BYTES="many", MODEL_LOOKUP_SECONDS="-1")
    assert completed.returncode == 1
    assert len(completed.stderr.strip().splitlines()) == 1, completed.stderr
    assert "MODEL_CACHE_BYTES" in completed.stderr
    assert "MODEL_LOOKUP_SECONDS" in completed.stderr


def test_without_a_bucket_nothing_is_downloaded(run: Run) -> None:
    assert run(model_bucket="") == (0, "sync-models: MODEL_BUCKET is not set, so no models are downloaded")


def test_the_folders_of_the_runtime_type_are_downloaded_unless_others_are_listed(
    model_setup: ModelSetup, run: Run
) -> None:
    for folder in ("Lora", "ESRGAN", "other"):
        model_setup.put(f"{folder}/a.pth")
    assert run()[0] == 0
    assert model_setup.files() == ["ESRGAN/a.pth"]
    assert run(sync_folders="other")[0] == 0
    assert model_setup.files() == ["ESRGAN/a.pth", "other/a.pth"]


def test_the_refiner_of_a_static_runtime_is_downloaded(model_setup: ModelSetup, run: Run) -> None:
    for name in ("base", "sub/refiner", "other"):
        model_setup.put(f"{CKPT}/{name}.ckpt")
    own = {"model_filename": "base.ckpt", "refiner_filename": "sub/refiner.ckpt", "sync_folders": ""}
    assert run(**own)[0] == 0
    assert model_setup.files() == [f"{CKPT}/base.ckpt", f"{CKPT}/sub/refiner.ckpt"]
    status, output = run(**own | {"refiner_filename": "refinr.ckpt"})
    assert (status, "REFINER_FILENAME 'refinr.ckpt' is not in the model bucket" in output) == (1, True)
