"""The request names each model as SD Web UI lists it, or the task fails with advice."""

import json
import struct
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.renaming import vae_as_module
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.selection import OPTIONS
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import ModelManager
from domain.errors import ErrorCode, PermanentError, RetryableError
from tests.support.models import CKPT, FakeWebUi, ModelSetup, checkpoint

LORAS = "/sdapi/v1/loras"
MODULES = "/sdapi/v1/sd-modules"
VAES = "/sdapi/v1/sd-vae"
UPSCALERS = "/sdapi/v1/upscalers"
CONTROLNET = "/controlnet/model_list?update=false"
DETECTORS = "/adetailer/v1/ad_model"

LONG_CONTENT = bytes(range(256)) * 0x1100
"""Long enough for the hash of early Web UIs, which is that of the 64 KiB behind the first MiB."""

HASH = sha256(LONG_CONTENT[0x100000:0x110000]).hexdigest()[:8]


class Forge(FakeWebUi):
    """A Forge, which reads its modules and ControlNet models only at its start."""

    def __init__(self, *, controlnet: tuple[str, ...] = (), modules: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.lists[CONTROLNET] = {"model_list": ["None", *controlnet]}
        self.lists[MODULES] = [{"model_name": module, "filename": f"/m/VAE/{module}"} for module in modules]


class Automatic1111(FakeWebUi):
    """An AUTOMATIC1111, which reads its folders again on request."""

    def __init__(self, model_setup: ModelSetup) -> None:
        super().__init__()
        self.model_setup = model_setup
        self.lists[CONTROLNET] = {"model_list": ["None"]}
        self.loads = True

    def get(self, path: str) -> Any:
        """Return the list of ControlNet models, read again if requested."""
        if path.endswith("model_list?update=true"):
            files = (self.model_setup.root / "ControlNet").rglob("*.*")
            self.lists[CONTROLNET] = {"model_list": [f"{file.stem} [{HASH}]" for file in files]}
            return self.lists[CONTROLNET]
        return super().get(path)

    def post(self, path: str, body: Any, *, seconds: float = 0) -> Any:
        """Refresh a list or set an option; a checkpoint that cannot be loaded leaves the previous one."""
        root = self.model_setup.root
        if path == OPTIONS and self.loads:
            self.lists[OPTIONS] = body
        elif path.endswith("refresh-loras"):
            files = (root / "Lora").rglob("*.*")
            self.lists[LORAS] = [{"name": path.stem, "alias": "", "path": str(path)} for path in files]
        elif path.endswith("refresh-vae"):
            self.lists[VAES] = [
                {"model_name": path.name, "filename": str(path)} for path in (root / "VAE").rglob("*.*")
            ]
        elif path.endswith("refresh-checkpoints"):
            self.lists["/sdapi/v1/sd-models"] = [
                {"title": str(path.relative_to(root / CKPT)), "model_name": path.stem, "filename": str(path)}
                for path in (root / CKPT).rglob("*.*")
            ]


def models(model_setup: ModelSetup, webui: FakeWebUi) -> ModelManager:
    """Return the consumer's models for a bucket and an empty volume."""
    return ModelManager(
        model_setup.store(lists=EngineModelLists(webui)), webui, own_checkpoint="", dynamic=True
    )


def failure(action: Callable[[], object]) -> PermanentError:
    """Return the error that a call raises."""
    with pytest.raises(PermanentError) as caught:
        action()
    return caught.value


def units(*names: str) -> dict[str, Any]:
    """Return a content with ControlNet units for these models."""
    return {"alwayson_scripts": {"ControlNet": {"args": [{"model": name} for name in names]}}}


def safetensors(output_name: str | None, *, padding: int = 0) -> bytes:
    """Return a LoRA with a name in its metadata."""
    metadata = {"padding": "x" * padding} | ({"ss_output_name": output_name} if output_name else {})
    header = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(header)) + header


def test_a_controlnet_unit_gets_the_name_that_forge_lists(model_setup: ModelSetup) -> None:
    model_setup.put("ControlNet/sub/canny.safetensors.pth", LONG_CONTENT)
    model_setup.put("ControlNet/depth.pth", LONG_CONTENT)
    title = f"depth [{HASH}]"
    prepared = models(model_setup, Forge(controlnet=(title,)))
    for name in ("depth", "depth.pth", title):
        assert prepared.ensure(units(name)) == units(title)
        prepared.switch(units(name))
    assert prepared.ensure(units("None", "depth")) == units("None", title)
    fault = failure(lambda: prepared.ensure(units("depth [00000000]")))
    assert (fault.code, "not with the hash 00000000" in fault.message) == (ErrorCode.MODEL_NOT_FOUND, True)


def test_the_units_of_adetailer_get_the_listed_name_too(model_setup: ModelSetup) -> None:
    model_setup.put("ControlNet/depth.pth", LONG_CONTENT)
    model_setup.put("adetailer/face.pt")
    webui = Forge(controlnet=(f"depth [{HASH}]",))
    webui.lists[DETECTORS] = {"ad_model": ["face.pt", "mediapipe_face_full"]}
    for name in ("face.pt", "mediapipe_face_full"):
        args = [True, {"ad_model": name, "ad_controlnet_model": "depth"}]
        content_sent = models(model_setup, webui).ensure({"alwayson_scripts": {"ADetailer": {"args": args}}})
        unit = content_sent["alwayson_scripts"]["ADetailer"]["args"][1]
        assert unit == {"ad_model": name, "ad_controlnet_model": f"depth [{HASH}]"}
    args = [{"ad_model": "hand.pt"}]
    fault = failure(
        lambda: models(model_setup, webui).ensure({"alwayson_scripts": {"ADetailer": {"args": args}}})
    )
    assert "no ADetailer model named 'hand.pt'" in fault.message


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("ControlNet/late.pth", units("late")),
        ("VAE/late.pt", {"override_settings": {"sd_vae": "late.pt"}}),
        ("VAE/late.pt", {"override_settings": {"forge_additional_modules": ["late.pt"]}}),
        ("text_encoder/late.pt", {"enable_hr": True, "hr_additional_modules": ["late.pt"]}),
        ("ESRGAN/late.pth", {"upscaler_1": "late"}),
        ("hypernetworks/late.pt", {"prompt": "<hypernet:late:1>"}),
        ("adetailer/late.pt", {"alwayson_scripts": {"ADetailer": {"args": [{"ad_model": "late.pt"}]}}}),
    ],
)
def test_a_new_file_of_a_kind_that_forge_reads_only_at_its_start_fails_with_advice_and_is_not_fetched(
    model_setup: ModelSetup, key: str, content: dict[str, Any]
) -> None:
    model_setup.put(key)
    webui = Forge()
    webui.lists["/sdapi/v1/hypernetworks"] = []
    webui.lists[DETECTORS] = {"ad_model": ["face.pt"]}
    fault = failure(lambda: models(model_setup, webui).ensure(content))
    assert fault.code is ErrorCode.MODEL_NOT_FOUND
    assert f"name {key.partition('/')[0]} in the runtime's syncFolders" in fault.message
    assert model_setup.transfer.fetched == []


def test_automatic1111_refreshes_its_list_for_a_new_controlnet_model(model_setup: ModelSetup) -> None:
    model_setup.put("ControlNet/late.pth", LONG_CONTENT)
    prepared = models(model_setup, Automatic1111(model_setup))
    assert prepared.ensure(units("late")) == units(f"late [{HASH}]")
    prepared.switch(units("late"))


def test_a_file_that_is_not_listed_after_a_refresh_fails_its_task(model_setup: ModelSetup) -> None:
    model_setup.put("Lora/style.safetensors", safetensors(None))
    webui = FakeWebUi()
    content = {"prompt": "<lora:style:1>"}
    prepared = models(model_setup, webui)
    prepared.ensure(content)
    fault = failure(lambda: prepared.switch(content))
    assert "SD Web UI does not list it" in fault.message
    # The consumer does not remember that it was missing: the next task requests the list again.
    webui.lists[LORAS] = [{"name": "style", "path": str(model_setup.root / "Lora/style.safetensors")}]
    prepared.switch(content)


def test_a_file_that_another_one_hides_fails_its_task(model_setup: ModelSetup) -> None:
    model_setup.put("Lora/style.safetensors", safetensors(None))
    webui = FakeWebUi()
    webui.lists[LORAS] = [{"name": "style", "path": "/image/Lora/other/Style/style.ckpt"}]
    prepared = models(model_setup, webui)
    fault = failure(lambda: prepared.switch({"prompt": "<lora:style:1>"}))
    assert "/image/Lora/other/Style/style.ckpt" in fault.message


def test_a_lora_is_sent_without_its_folder(model_setup: ModelSetup) -> None:
    model_setup.put("Lora/sub/style.safetensors", safetensors(None))
    prepared = models(model_setup, Automatic1111(model_setup))
    for name in ("sub/style", "sub\\style", "style"):
        content = {"prompt": f"a <lora:{name}:1>, sub/style", "negative_prompt": f"<lora:{name}:1>"}
        content_sent = prepared.ensure(content)
        assert content_sent == content | {"prompt": "a <lora:style:1>, sub/style"}
        prepared.switch(content)


@pytest.mark.parametrize(
    "keys",
    [("Lora/a/s.pt", "Lora/b/s.safetensors"), ("Lora/s.pt", "Lora/a/s.pt"), ("Lora/s.pt", "LyCORIS/s.pt")],
)
@pytest.mark.parametrize("name", ["s", "a/s"])
def test_the_error_for_two_loras_with_one_name_lists_both(
    model_setup: ModelSetup, keys: tuple[str, str], name: str
) -> None:
    if name == "a/s" and not any("/a/" in key for key in keys):
        return
    for key in keys:
        model_setup.put(key)
    fault = failure(
        lambda: models(model_setup, Automatic1111(model_setup)).ensure({"prompt": f"<lora:{name}:1>"})
    )
    assert "several files are LoRA" in fault.message
    assert all(key.removeprefix("Lora/").removeprefix("LyCORIS/") in fault.message for key in keys)


@pytest.mark.parametrize("padding", [0, 100_000])
def test_a_lora_can_be_named_by_the_name_inside_its_file(model_setup: ModelSetup, padding: int) -> None:
    model_setup.put("Lora/file-ä.safetensors", safetensors('Stil "ä" 模型', padding=padding))
    model_setup.put("Lora/file-a.safetensors", safetensors("styleA", padding=padding))
    model_setup.put("Lora/file-b.safetensors", safetensors("last", padding=padding))
    model_setup.put("Lora/file-c.safetensors", safetensors("last"))
    model_setup.put("Lora/cut.safetensors", safetensors("x" * 50, padding=padding)[:30])
    model_setup.put("Lora/empty.safetensors", b"")
    prepared = models(model_setup, Automatic1111(model_setup))
    assert prepared.ensure({"prompt": "<lora:styleA:1>"}) == {"prompt": "<lora:file-a:1>"}
    assert model_setup.transfer.fetched == ["Lora/file-a.safetensors"]
    prepared.switch({"prompt": "<lora:styleA:1>"})
    assert prepared.ensure({"prompt": '<lora:Stil "ä" 模型:1>'}) == {"prompt": "<lora:file-ä:1>"}
    fault = failure(lambda: prepared.ensure({"prompt": "<lora:last:1>"}))
    assert "file-b.safetensors" in fault.message
    assert "file-c.safetensors" in fault.message
    assert "no LoRA named 'stylea'" in failure(lambda: prepared.ensure({"prompt": "<lora:stylea:1>"})).message


def test_the_metadata_of_a_lora_is_read_once(model_setup: ModelSetup) -> None:
    model_setup.put("Lora/file-a.safetensors", safetensors("styleA"))
    calls: list[str] = []
    model_setup.s3.meta.events.register("before-call.s3.GetObject", lambda **_: calls.append("GetObject"))
    prepared = models(model_setup, Automatic1111(model_setup))
    for _ in range(3):
        failure(lambda: prepared.ensure({"prompt": "<lora:nowhere:1>"}))
    assert calls == ["GetObject"]


def test_without_a_bucket_a_name_inside_two_files_is_refused_too() -> None:
    webui = FakeWebUi()
    webui.lists[LORAS] = [
        {"name": name, "alias": alias, "path": f"/models/Lora/sub/{name}.safetensors"}
        for name, alias in (("a", "last"), ("b", "last"), ("c", "style"))
    ]
    store = ModelStore(ModelResolver(None, None, EngineModelLists(webui)), None)
    prepared = ModelManager(store, webui, own_checkpoint="", dynamic=True)
    assert prepared.ensure({"prompt": "<lora:style:1><lora:sub/a:1>"}) == {"prompt": "<lora:c:1><lora:a:1>"}
    fault = failure(lambda: prepared.ensure({"prompt": "<lora:last:1>"}))
    assert "several files are LoRA 'last': a, b" in fault.message
    assert "no LoRA" in failure(lambda: prepared.ensure({"prompt": "<lora:other/a:1>"})).message


def test_the_loras_of_a_style_are_fetched_or_reported_as_missing(model_setup: ModelSetup) -> None:
    model_setup.put("Lora/style.safetensors", safetensors(None))
    webui = Automatic1111(model_setup)
    webui.lists["/sdapi/v1/prompt-styles"] = [
        {"name": "good", "prompt": "x <lora:style:1>", "negative_prompt": "<lora:not-applied:1>"},
        {"name": "bad", "prompt": "<lora:nowhere:1>", "negative_prompt": None},
    ]
    prepared = models(model_setup, webui)
    prepared.ensure({"styles": ["good"]})
    assert model_setup.transfer.fetched == ["Lora/style.safetensors"]
    assert failure(lambda: prepared.ensure({"styles": ["good", "bad"]})).message.startswith("/styles/1: ")


@pytest.mark.parametrize(
    ("content", "expected_modules"),
    [
        ({"override_settings": {"sd_vae": "v.pt"}}, ["v.pt"]),
        ({"alwayson_scripts": {"sd_vae": "sub/v.pt"}}, ["v.pt"]),
        ({"alwayson_scripts": {"override_settings": {"sd_vae": "v.pt"}}}, ["v.pt"]),
        (
            {"override_settings": {"sd_vae": "v.pt", "forge_additional_modules": ["/x/te.pt"]}},
            ["v.pt", "te.pt"],
        ),
        ({"override_settings": {"forge_additional_modules": "sub/v.pt"}}, ["v.pt"]),
        ({"override_settings": {"sd_vae": "Automatic", "forge_additional_modules": ["te.pt"]}}, ["te.pt"]),
        ({"alwayson_scripts": {"sd_vae": "v.pt"}, "override_settings": {"sd_vae": "None"}}, ["v.pt"]),
        ({"override_settings": {"sd_vae": "None"}}, None),
        ({"override_settings": {"sd_vae": "Automatic", "CLIP_stop_at_last_layers": 2}}, None),
    ],
)
def test_forge_gets_a_vae_as_one_of_its_modules(
    model_setup: ModelSetup, content: dict[str, Any], expected_modules: list[str] | None
) -> None:
    model_setup.put("VAE/sub/v.pt")
    model_setup.put("text_encoder/te.pt")
    content_sent = models(model_setup, Forge(modules=("v.pt", "te.pt"))).ensure(content)
    assert content_sent.get("override_settings", {}).get("forge_additional_modules") == expected_modules
    assert "sd_vae" not in json.dumps(content_sent)
    clip = content.get("override_settings", {}).get("CLIP_stop_at_last_layers")
    assert content_sent["override_settings"].get("CLIP_stop_at_last_layers") == clip
    assert vae_as_module(content_sent) == content_sent


def test_automatic1111_gets_a_vae_unchanged(model_setup: ModelSetup) -> None:
    model_setup.put("VAE/sub/v.pt")
    prepared = models(model_setup, Automatic1111(model_setup))
    content = {"override_settings": {"sd_vae": "sub/v.pt"}}
    assert prepared.ensure(content) == {"override_settings": {"sd_vae": "v.pt"}}
    prepared.switch(content)
    wrong = {"enable_hr": True, "hr_additional_modules": ["v.pt"]}
    assert "name a VAE as sd_vae" in failure(lambda: prepared.ensure(wrong)).message


def test_a_vae_of_adetailer_is_refused_on_forge(model_setup: ModelSetup) -> None:
    model_setup.put("VAE/v.pt")
    unit = {"ad_model": "mediapipe_face_full", "ad_use_vae": True, "ad_vae": "v.pt"}
    content = {"alwayson_scripts": {"ADetailer": {"args": [unit]}}}
    webui = Forge(modules=("v.pt",))
    webui.lists[DETECTORS] = {"ad_model": ["mediapipe_face_full"]}
    assert (
        "Forge does not let ADetailer use a VAE"
        in failure(lambda: models(model_setup, webui).ensure(content)).message
    )


def test_a_second_checkpoint_is_sent_by_its_full_name_and_must_be_listed(model_setup: ModelSetup) -> None:
    for name in ("main", "sub/refiner", "detail"):
        model_setup.put(f"{CKPT}/{name}.safetensors", safetensors(None))
    unit = {"ad_model": "face.pt", "ad_use_checkpoint": True, "ad_checkpoint": "detail"}
    content = checkpoint("main", refiner_checkpoint="refiner")
    content["alwayson_scripts"]["ADetailer"] = {"args": [unit]}
    webui = Automatic1111(model_setup)
    prepared = models(model_setup, webui)
    model_setup.put("adetailer/face.pt")
    content_sent = prepared.ensure(content)
    assert content_sent["refiner_checkpoint"] == "sub/refiner.safetensors"
    assert content_sent["alwayson_scripts"]["ADetailer"]["args"][0]["ad_checkpoint"] == "detail.safetensors"
    assert prepared.switch(content) == "main"
    without_lists = models(model_setup, FakeWebUi())
    assert "does not list it" in failure(lambda: without_lists.switch(content)).message


def test_a_checkpoint_that_automatic1111_does_not_load_at_its_start_is_retried(
    model_setup: ModelSetup,
) -> None:
    model_setup.put(f"{CKPT}/good.safetensors", safetensors(None))
    webui = Automatic1111(model_setup)
    webui.lists[OPTIONS] = {"sd_model_checkpoint": "first.safetensors"}
    webui.loads = False
    prepared = models(model_setup, webui)
    with pytest.raises(RetryableError, match="may not have loaded its first checkpoint yet"):
        prepared.switch(checkpoint("good"))
    webui.loads = True
    assert prepared.switch(checkpoint("good")) == "good"


def test_a_checkpoint_that_automatic1111_does_not_load_is_remembered(model_setup: ModelSetup) -> None:
    model_setup.put(f"{CKPT}/good.safetensors", safetensors(None))
    model_setup.put(f"{CKPT}/broken.safetensors", safetensors("x"))
    webui = Automatic1111(model_setup)
    prepared = models(model_setup, webui)
    assert prepared.switch(checkpoint("good")) == "good"
    webui.loads = False
    for action in (prepared.switch, prepared.switch, prepared.ensure):
        fault = failure(partial(action, checkpoint("broken")))
        assert (fault.code, "broken.safetensors" in fault.message) == (ErrorCode.MODEL_UNUSABLE, True)
    webui.loads = True
    assert prepared.switch(checkpoint("good")) == "good"


NO_WEIGHTS = [
    {"name": "None", "model_path": None},
    {"name": "Lanczos", "model_path": None},
    {"name": "4x-Local", "model_path": "/models/ESRGAN/4x-Local.pth"},
    {"name": "R-ESRGAN 4x+", "model_path": "https://github.com/x/RealESRGAN_x4plus.pth"},
]


@pytest.mark.parametrize("field", ["upscaler_1", "hr_upscaler", "by name", "by place"])
def test_an_upscaler_without_weights_is_no_upscaler(model_setup: ModelSetup, field: str) -> None:
    content: dict[str, Any] = {"enable_hr": True, field: "R-ESRGAN 4x+"}
    if field.startswith("by "):
        upscaler = 3 if field == "by place" else "R-ESRGAN 4x+"
        content = {"script_name": "SD upscale", "script_args": ["", 64, upscaler, 2]}
    webui = FakeWebUi()
    webui.lists[UPSCALERS] = NO_WEIGHTS
    prepared = models(model_setup, webui)
    fault = failure(lambda: prepared.ensure(content))
    assert "put RealESRGAN_x4plus.pth into the bucket's RealESRGAN/" in fault.message
    model_setup.put("RealESRGAN/RealESRGAN_x4plus.pth")
    model_setup.now += 100
    assert prepared.ensure(content) == content
    assert model_setup.files() == ["RealESRGAN/RealESRGAN_x4plus.pth"]
    model_setup.s3.delete_object(Bucket=model_setup.bucket, Key="RealESRGAN/RealESRGAN_x4plus.pth")
    model_setup.now += 100
    assert prepared.ensure(content) == content  # it is on the volume


@pytest.mark.parametrize("name", ["Lanczos", "4x-Local", "None"])
def test_an_upscaler_without_weights_or_with_local_ones_is_accepted(
    model_setup: ModelSetup, name: str
) -> None:
    webui = FakeWebUi()
    webui.lists[UPSCALERS] = NO_WEIGHTS
    models(model_setup, webui).ensure({"upscaler_1": name})


def test_a_face_restorer_needs_weights_of_its_own_folder(model_setup: ModelSetup) -> None:
    model_setup.put("Codeformer/codeformer-v0.1.0.pth")
    prepared = models(model_setup, FakeWebUi())
    prepared.ensure({"codeformer_visibility": 1})
    fault = failure(lambda: prepared.ensure({"gfpgan_visibility": 1}))
    assert "into the bucket's GFPGAN/" in fault.message
    prepared.ensure({"restore_faces": True})


EMBEDDINGS = "/sdapi/v1/embeddings"


class ForgeWithEmbeddings(Forge):
    """A Forge with one or two checkpoints that reads its embeddings when it loads a checkpoint for a job."""

    def __init__(self, *checkpoints: str) -> None:
        super().__init__()
        self.lists["/sdapi/v1/sd-models"] = [{"title": title, "model_name": title} for title in checkpoints]
        self.lists[EMBEDDINGS] = {"loaded": {"Known": {}}, "skipped": {}}
        self.jobs: list[str] = []

    def post(self, path: str, body: Any, *, seconds: float = 0) -> Any:
        """Record which checkpoint is selected, and for which jobs."""
        if path == OPTIONS:
            self.lists[OPTIONS] = body
        elif path.endswith("txt2img"):
            self.jobs.append(self.lists[OPTIONS]["sd_model_checkpoint"])


def test_forge_loads_another_checkpoint_to_read_a_new_embedding(model_setup: ModelSetup) -> None:
    for key in ("known.pt", "late.pt"):
        model_setup.put(f"embeddings/{key}")
    webui = ForgeWithEmbeddings("a", "b")
    store = model_setup.store(lists=EngineModelLists(webui))
    prepared = ModelManager(store, webui, own_checkpoint="a", dynamic=False)
    assert prepared.switch({"prompt": "known"}) == "a"
    assert webui.jobs == []
    for _ in range(2):
        assert prepared.switch({"prompt": "known, LATE"}) == "a"
        assert webui.lists[OPTIONS] == {"sd_model_checkpoint": "a"}
    assert webui.jobs == ["b"]


def test_an_embedding_that_forge_cannot_read_any_more_fails_each_task_with_advice(
    model_setup: ModelSetup,
) -> None:
    model_setup.put("embeddings/late.pt")
    webui = ForgeWithEmbeddings("a")
    prepared = ModelManager(
        model_setup.store(lists=EngineModelLists(webui)), webui, own_checkpoint="a", dynamic=False
    )
    for _ in range(2):
        assert "start a new worker" in failure(lambda: prepared.switch({"prompt": "late"})).message
    assert prepared.switch({"prompt": "other"}) == "a"


def test_automatic1111_reads_a_new_embedding(model_setup: ModelSetup) -> None:
    model_setup.put("embeddings/late.pt")
    webui = Automatic1111(model_setup)
    webui.lists[EMBEDDINGS] = {"loaded": {}, "skipped": {}}
    models(model_setup, webui).switch({"prompt": "late"})


def test_a_checkpoint_on_the_volume_is_found_by_the_hash_of_early_web_uis(
    model_setup: ModelSetup,
) -> None:
    model_setup.put(f"{CKPT}/old.ckpt", LONG_CONTENT)
    store = model_setup.store()
    store.ensure(checkpoint("old"))
    (model,) = store.ensure(checkpoint(HASH))
    assert model.name == "old.ckpt"
