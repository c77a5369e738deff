"""Models are downloaded to the volume completely, once, and within the budget."""

import base64
import json
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from awscrt.exceptions import AwsCrtError

from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.model_store.locks import Lock, Stopped
from container.consumer.model_store.transfer import DiskFull, S3Transfer
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, PermanentError, RetryableError
from local.emulator import Emulator
from tests.support.models import CKPT, ModelSetup, checkpoint


def failure(action: Callable[[], object]) -> PermanentError:
    """Return the error that a call raises."""
    with pytest.raises(PermanentError) as caught:
        action()
    return caught.value


def safetensors(weights: bytes, *, declared: int | None = None) -> bytes:
    """Return a safetensors file, which may declare more data than it contains."""
    end = len(weights) if declared is None else declared
    header = json.dumps({"a": {"dtype": "U8", "shape": [end], "data_offsets": [0, end]}}).encode()
    return struct.pack("<Q", len(header)) + header + weights


@pytest.mark.parametrize(
    "name",
    ["plain.ckpt", "with spaces.ckpt", "Ünï 模型 [fp16] (v2).ckpt", "a/b/deep.ckpt"],
)
def test_a_named_model_is_downloaded_once(model_setup: ModelSetup, name: str) -> None:
    model_setup.put(f"{CKPT}/{name}", b"weights of " + name.encode())
    store = model_setup.store()
    store.ensure(checkpoint(name))
    assert (model_setup.root / CKPT / name).read_bytes() == b"weights of " + name.encode()
    store.activate(checkpoint(name))
    model_setup.store().ensure(checkpoint(name))
    assert model_setup.transfer.fetched == [f"{CKPT}/{name}"]
    assert model_setup.files() == [f"{CKPT}/{name}"]


def test_all_models_of_a_task_are_downloaded(model_setup: ModelSetup) -> None:
    keys = [
        f"{CKPT}/m.ckpt",
        f"{CKPT}/m.yaml",
        f"{CKPT}/m.vae.pt",
        "Lora/style v2.ckpt",
        "Lora/sub/bad.ckpt",
        "VAE/v.pt",
        "ControlNet/canny.pth",
        "embeddings/easynegative.pt",
    ]
    for key in [*keys, f"{CKPT}/other.ckpt", "Lora/other.ckpt", "embeddings/other.pt"]:
        model_setup.put(key)
    model_setup.store().ensure(
        {
            "prompt": "a cat <lora:style v2:0.7>",
            "enable_hr": True,
            "hr_prompt": "<lora:bad:1>",
            "negative_prompt": "EasyNegative, <lora:not-applied:1>",
            "override_settings": {"sd_vae": "v.pt"},
            "alwayson_scripts": {
                "sd_model_checkpoint": "m",
                "controlnet": {"args": [{"model": "canny [d14c016b]"}]},
            },
        },
    )
    assert model_setup.files() == sorted(keys)


@pytest.mark.parametrize(
    ("content", "nearest"),
    [
        (checkpoint("Reel.ckpt"), "real.ckpt"),
        (checkpoint("REAL.ckpt"), "real.ckpt"),
        ({"prompt": "<lora:styl:1>"}, "style"),
        ({"enable_hr": True, "hr_prompt": "<lora:styles:1>"}, "style"),
        ({"prompt": "", "override_settings": {"sd_vae": "va.pt"}}, "vae.pt"),
    ],
)
def test_a_missing_model_fails_the_task_with_the_nearest_name(
    model_setup: ModelSetup, content: dict[str, Any], nearest: str
) -> None:
    """A real Web UI would respond with an image made without the model, or with another one."""
    for key in (f"{CKPT}/real.ckpt", "Lora/style.ckpt", "VAE/vae.pt"):
        model_setup.put(key)
    fault = failure(lambda: model_setup.store().ensure(content))
    assert fault.code is ErrorCode.MODEL_NOT_FOUND
    assert repr(nearest) in fault.message


def test_a_missing_model_is_remembered_for_a_while(model_setup: ModelSetup) -> None:
    requested_keys: list[str] = []

    def record_prefix(params: dict[str, Any], **_: Any) -> None:
        requested_keys.append(params["query_string"].get("prefix", ""))

    model_setup.s3.meta.events.register("before-call.s3.ListObjectsV2", record_prefix)
    store = model_setup.store()
    for _ in range(3):
        failure(lambda: store.ensure(checkpoint("late")))
    assert len(requested_keys) == 1
    model_setup.put(f"{CKPT}/late.ckpt")
    failure(lambda: store.ensure(checkpoint("late")))
    model_setup.now += 61
    store.ensure(checkpoint("late"))
    assert requested_keys.count(f"{CKPT}/") == 2


def test_models_are_not_looked_up_again_between_jobs(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt")
    store = model_setup.store()
    store.ensure(checkpoint("m"))
    model_setup.now += 61
    requested_keys: list[str] = []
    model_setup.s3.meta.events.register(
        "before-call.s3.*", lambda model, **_: requested_keys.append(model.name)
    )
    store.activate(checkpoint("m"))
    assert requested_keys == []
    store.activate(checkpoint("m"))
    assert "ListObjectsV2" in requested_keys


def test_a_checkpoint_that_was_deleted_from_the_bucket_is_used_only_if_it_is_on_the_volume(
    model_setup: ModelSetup,
) -> None:
    for name in ("there", "gone"):
        model_setup.put(f"{CKPT}/{name}.ckpt")
    store = model_setup.store()
    store.ensure(checkpoint("there"))
    for name in ("there", "gone"):
        model_setup.s3.delete_object(Bucket=model_setup.bucket, Key=f"{CKPT}/{name}.ckpt")
    assert failure(lambda: store.ensure(checkpoint("gone"))).code is ErrorCode.MODEL_NOT_FOUND
    model_setup.now += 61
    store.ensure(checkpoint("there"))
    assert model_setup.files() == [f"{CKPT}/there.ckpt"]


def test_a_new_version_of_the_same_size_is_downloaded(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", b"first_")
    store = model_setup.store()
    store.ensure(checkpoint("m"))
    model_setup.put(f"{CKPT}/m.ckpt", b"second")
    model_setup.now += 61
    store.ensure(checkpoint("m"))
    assert (model_setup.root / CKPT / "m.ckpt").read_bytes() == b"second"


def test_a_file_that_was_copied_by_hand_is_used_if_it_is_complete(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/whole.ckpt", b"x" * 1000)
    model_setup.put(f"{CKPT}/half.ckpt", b"y" * 1000)
    (model_setup.root / CKPT / "whole.ckpt").write_bytes(b"x" * 1000)
    (model_setup.root / CKPT / "half.ckpt").write_bytes(b"y" * 500)
    for name in ("whole", "half"):
        model_setup.store().ensure(checkpoint(name))
    assert model_setup.transfer.fetched == [f"{CKPT}/half.ckpt"]
    assert (model_setup.root / CKPT / "half.ckpt").read_bytes() == b"y" * 1000


def test_an_incomplete_download_is_not_visible_to_web_ui(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", b"x" * 1000)
    visible_files: list[list[str]] = []

    def record_visible_files(part: Path) -> None:
        visible_files.append([path.name for path in (model_setup.root / CKPT).rglob("*")])
        assert not part.name.endswith((".safetensors", ".ckpt", ".pt"))

    model_setup.transfer.after = record_visible_files
    model_setup.store().ensure(checkpoint("m"))
    assert visible_files == [[]]
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def spoil(part: Path) -> None:
    """Change one byte of a downloaded file."""
    part.write_bytes(b"?" + part.read_bytes()[1:])


def test_a_file_with_a_wrong_checksum_is_downloaded_again_once(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", b"x" * 1000)
    spoiled: list[Path] = []

    def spoil_first(part: Path) -> None:
        if not spoiled:
            spoiled.append(part)
            spoil(part)

    model_setup.transfer.after = spoil_first
    model_setup.store().ensure(checkpoint("m"))
    assert len(model_setup.transfer.fetched) == 2
    assert (model_setup.root / CKPT / "m.ckpt").read_bytes() == b"x" * 1000

    model_setup.put(f"{CKPT}/n.ckpt", b"x" * 1000)
    model_setup.transfer.after = spoil
    with pytest.raises(RetryableError) as caught:
        model_setup.store().ensure(checkpoint("n"))
    assert caught.value.code is ErrorCode.AWS_UNAVAILABLE
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_a_truncated_upload_fails_only_its_task_and_is_downloaded_once(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/cut.safetensors", safetensors(b"x" * 10, declared=1000))
    model_setup.put(f"{CKPT}/good.safetensors", safetensors(b"x" * 1000))
    store = model_setup.store()
    for _ in range(2):
        fault = failure(lambda: store.ensure(checkpoint("cut")))
        assert fault.code is ErrorCode.MODEL_UNUSABLE
        assert "cut off" in fault.message
    store.ensure(checkpoint("good"))
    assert model_setup.files() == [f"{CKPT}/good.safetensors"]
    assert len(model_setup.transfer.fetched) == 2


@pytest.mark.parametrize(("name", "error"), [("m.ckpt", None), ("m", None), ("x.ckpt", "hash")])
def test_a_hash_after_the_name_must_match(model_setup: ModelSetup, name: str, error: str | None) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", b"weights")
    model_setup.put(f"{CKPT}/x.ckpt", b"other weights")
    short = sha256(b"weights").hexdigest()[:10]
    store = model_setup.store()
    if error is None:
        store.ensure(checkpoint(f"{name} [{short}]"))
    else:
        assert error in failure(lambda: store.ensure(checkpoint(f"{name} [{short}]"))).message


def on_volume(model_setup: ModelSetup) -> list[str]:
    """Return the names of the checkpoints on the volume."""
    return [Path(name).stem for name in model_setup.files()]


def test_the_least_recently_used_file_is_evicted(model_setup: ModelSetup) -> None:
    for name in "abc":
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * 1000)
    store = model_setup.store(budget=2500)
    for name in "aba":
        store.ensure(checkpoint(name))
    store.ensure(checkpoint("c"))
    assert on_volume(model_setup) == ["a", "c"]


def test_a_model_in_use_is_not_evicted_by_any_consumer_of_the_volume(model_setup: ModelSetup) -> None:
    for name in "abc":
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * 1000)
    own, other = model_setup.store(budget=1500), model_setup.store(budget=1500)
    own.activate(checkpoint("a"))
    own.ensure(checkpoint("b"))  # prepared while the job runs: no room yet, and no fault
    assert on_volume(model_setup) == ["a"]
    with pytest.raises(RetryableError) as caught:
        other.activate(checkpoint("c"))
    assert caught.value.code is ErrorCode.NO_SPACE_FOR_MODEL
    assert on_volume(model_setup) == ["a"]
    own.activate(checkpoint("b"))
    assert on_volume(model_setup) == ["b"]


def test_a_pinned_file_is_never_evicted_and_the_task_fails_if_there_is_no_room(
    model_setup: ModelSetup,
) -> None:
    for name, size in (("static", 1000), ("small", 400), ("next", 450), ("big", 900)):
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * size)
    store = model_setup.store(budget=1500)
    store.ensure(checkpoint("static"))
    assert store._fetcher is not None
    store._fetcher.volume.pin({f"{CKPT}/static.ckpt"})
    store.ensure(checkpoint("small"))
    fault = failure(lambda: store.ensure(checkpoint("big")))
    assert fault.code is ErrorCode.NO_SPACE_FOR_MODEL
    assert "900 bytes" in fault.message
    assert "1,500" in fault.message
    assert on_volume(model_setup) == ["small", "static"]
    store.ensure(checkpoint("next"))
    assert on_volume(model_setup) == ["next", "static"]


def test_files_without_a_record_are_neither_counted_nor_evicted(model_setup: ModelSetup) -> None:
    (model_setup.root / CKPT / "theirs.ckpt").write_bytes(b"x" * 5000)
    for name in "ab":
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * 1000)
        model_setup.store(budget=1500).ensure(checkpoint(name))
    assert on_volume(model_setup) == ["b", "theirs"]
    model_setup.store(budget=1500).ensure(checkpoint("theirs"))


class FullDisk:
    """A transfer whose first `times` downloads end with a full disk."""

    def __init__(self, inner: Any, times: int) -> None:
        self.inner = inner
        self.times = times

    def fetch(self, bucket: str, key: str, to: Path, **options: Any) -> None:
        """Write half a file, then fail."""
        self.inner.fetch(bucket, key, to, **options)
        if self.times:
            self.times -= 1
            to.write_bytes(to.read_bytes()[:10])
            raise DiskFull


def test_a_full_disk_evicts_one_more_file_and_then_fails_the_task(model_setup: ModelSetup) -> None:
    for name in "abc":
        model_setup.put(f"{CKPT}/{name}.ckpt", b"x" * 1000)
    model_setup.store().ensure(checkpoint("a"))
    model_setup.store(transfer=FullDisk(model_setup.transfer, times=1)).ensure(checkpoint("b"))
    assert on_volume(model_setup) == ["b"]
    fault = failure(
        lambda: model_setup.store(transfer=FullDisk(model_setup.transfer, times=9)).ensure(checkpoint("c"))
    )
    assert fault.code is ErrorCode.NO_SPACE_FOR_MODEL
    assert model_setup.files() == []


@pytest.mark.parametrize("crt", [True, False])
def test_the_real_transfers_report_a_full_disk(aws: Emulator, model_setup: ModelSetup, crt: bool) -> None:
    """A process with a file size limit of 1 MiB gets the same error as on a full disk."""
    model_setup.put(f"{CKPT}/m.ckpt", bytes(3 << 20))
    code = (
        "import sys, threading, pathlib, boto3\n"
        "from container.consumer.model_store.transfer import DiskFull, S3Transfer\n"
        "session = boto3.Session()\n"
        "credentials = session.get_credentials() if sys.argv[3] == 'True' else None\n"
        "transfer = S3Transfer(session.client('s3'), credentials=credentials)\n"
        "try:\n"
        f"    transfer.fetch(sys.argv[1], '{CKPT}/m.ckpt', pathlib.Path(sys.argv[2]),\n"
        "        on_bytes=lambda _: None, stop=threading.Event())\n"
        "except DiskFull: print('full')\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, model_setup.bucket, str(model_setup.root / "part"), str(crt)],
        env=aws.environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.stdout == "full\n", child.stderr


@pytest.mark.parametrize("crt", [True, False])
def test_both_transfers_download_alike(
    aws: Emulator, model_setup: ModelSetup, tmp_path: Path, crt: bool
) -> None:
    transfer = S3Transfer(aws.client("s3"), credentials=aws.credentials if crt else None)
    assert transfer.uses_crt is crt
    name = f"{CKPT}/Ünï 模型 [x].ckpt"
    content = base64.b64encode(bytes(range(256))) * 60_000
    model_setup.put(name, content)
    arrived: list[int] = []
    transfer.fetch(
        model_setup.bucket, name, tmp_path / "part", on_bytes=arrived.append, stop=threading.Event()
    )
    assert (tmp_path / "part").read_bytes() == content
    assert sum(arrived) == len(content)
    store = model_setup.store(transfer=transfer)
    model_setup.put(f"{CKPT}/gone.ckpt")
    store._resolver.find(checkpoint("gone"))
    model_setup.s3.delete_object(Bucket=model_setup.bucket, Key=f"{CKPT}/gone.ckpt")
    assert failure(lambda: store.ensure(checkpoint("gone"))).code is ErrorCode.MODEL_NOT_FOUND


class BrokenManager:
    """A CRT that cannot reach the bucket."""

    def download(self, *_: Any, **__: Any) -> Any:
        """Fail as for a bucket in another region."""
        raise AwsCrtError(
            14343, "AWS_ERROR_S3_INVALID_RESPONSE_STATUS", "Invalid response status from request"
        )


def test_boto3s_threads_download_what_the_crt_cannot(aws: Emulator, model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", bytes(1000))
    transfer = S3Transfer(aws.client("s3"), credentials=aws.credentials)
    transfer._crt = BrokenManager()
    model_setup.store(transfer=transfer).ensure(checkpoint("m"))
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]
    assert not transfer.uses_crt


def test_a_shutdown_stops_a_download(model_setup: ModelSetup, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    transfer = S3Transfer(model_setup.s3)
    with pytest.raises(Stopped):
        transfer.fetch(model_setup.bucket, "none", tmp_path / "part", on_bytes=lambda _: None, stop=stop)


def test_models_on_the_volume_are_used_while_s3_is_down(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/m.ckpt")
    store: ModelStore = model_setup.store()
    store.ensure(checkpoint("m"))
    model_setup.bucket = "a-bucket-that-does-not-exist"
    without_bucket = model_setup.store()
    without_bucket.ensure(checkpoint("m"))
    with pytest.raises(RetryableError) as caught:
        without_bucket.ensure(checkpoint("other"))
    assert caught.value.code is ErrorCode.AWS_UNAVAILABLE
    model_setup.bucket = store._fetcher._bucket.name  # type: ignore[union-attr]  # the fixture deletes it


def test_an_eviction_that_never_ends_is_a_retryable_error(
    model_setup: ModelSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_setup.put(f"{CKPT}/m.ckpt")
    store = model_setup.store()
    (file,) = (stored_model.file for stored_model in store.ensure(checkpoint("m")))
    assert file is not None
    monkeypatch.setattr("container.consumer.engines.models_in_use.EVICTION_SECONDS", 0.2)
    volume = Volume(model_setup.root)
    evicting = Lock.try_acquire(volume._lock_path(file.key, "use"))
    assert evicting is not None
    with pytest.raises(RetryableError, match="has been evicting"):
        store.activate(checkpoint("m"))
    evicting.release()
    assert store.activate(checkpoint("m"))
