"""The models that a workflow of ComfyUI needs, and the order and cost of its task."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.routing import Runtime
from runtimes.base import ModelRequirement, StoredFile, UnknownStartModel
from runtimes.comfyui import catalogue
from runtimes.comfyui.runtime_type import ComfyUi
from tests.support.comfyui import node
from tests.support.workflows import DYNAMIC, STATIC, checked, text_to_image, with_input

RULES = ComfyUi()


def needed_models(
    workflow: dict[str, Any], runtime: Runtime = DYNAMIC, **fields: Any
) -> list[tuple[str, str]]:
    result = checked({"prompt": workflow, **fields}, runtime)
    assert not result.faults
    return [(model.folder, model.name) for model in RULES.models(result.content, runtime)]


def with_lora() -> dict[str, Any]:
    workflow = text_to_image()
    workflow["10"] = {
        "class_type": "LoraLoader",
        "inputs": {
            "model": ["4", 0],
            "clip": ["4", 1],
            "lora_name": "sub/fur.safetensors",
            "strength_model": 1,
            "strength_clip": 1,
        },
    }
    workflow["3"]["inputs"]["model"] = ["10", 0]
    return workflow


def test_the_models_of_the_nodes_that_run_are_needed_checkpoints_first() -> None:
    workflow = {"0": with_lora()["10"], **with_lora()}
    assert needed_models(workflow) == [("checkpoints", "cats.safetensors"), ("loras", "sub/fur.safetensors")]
    [checkpoint, _] = RULES.models(checked({"prompt": workflow}).content, DYNAMIC)
    assert checkpoint.path == "/prompt/4/inputs/ckpt_name"


def test_models_of_nodes_that_no_output_needs_are_not_fetched() -> None:
    workflow = text_to_image() | {"10": with_lora()["10"]}
    assert needed_models(workflow) == [("checkpoints", "cats.safetensors")]


def test_only_the_wanted_outputs_need_models() -> None:
    workflow = text_to_image()
    workflow["v"] = {"class_type": "VAELoader", "inputs": {"vae_name": "v.safetensors"}}
    workflow["d"] = {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["v", 0]}}
    workflow["p"] = {"class_type": "PreviewImage", "inputs": {"images": ["d", 0]}}
    assert ("vae", "v.safetensors") in needed_models(workflow)
    assert ("vae", "v.safetensors") not in needed_models(workflow, outputs=["9"])


def test_texts_name_embeddings() -> None:
    workflow = with_input("6", "text", "a cat (embedding:fur:1.2), embedding:paws.pt")
    assert needed_models(workflow)[1:] == [("embeddings", "fur"), ("embeddings", "paws.pt")]


def test_a_static_runtime_has_its_checkpoint_from_the_start() -> None:
    assert needed_models(text_to_image(), STATIC) == []
    assert RULES.start_files(STATIC, lambda _: ["cats.safetensors"]) == [
        StoredFile("checkpoints", "cats.safetensors")
    ]
    with pytest.raises(UnknownStartModel):
        RULES.start_files(STATIC, lambda _: ["dogs.safetensors"])
    assert RULES.start_files(DYNAMIC, lambda _: []) == []


def test_tasks_of_one_checkpoint_run_one_after_the_other() -> None:
    one, other = (checked(with_input("6", "text", text)).content for text in ("a", "b"))
    third = checked(with_input("4", "ckpt_name", "dogs.safetensors")).content
    assert RULES.affinity(one, DYNAMIC) == RULES.affinity(other, DYNAMIC) != RULES.affinity(third, DYNAMIC)


def test_a_model_of_a_loader_that_only_the_runtimes_catalogue_has_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = json.loads((catalogue.CATALOGUES / catalogue.DEFAULT_CATALOGUE).read_text("utf-8"))
    core["classes"]["Packed"] = {"inputs": {"name": "model:diffusion_models"}, "outputs": ["MODEL"]}
    (tmp_path / "packs.json").write_text(json.dumps(core), "utf-8")
    monkeypatch.setattr(catalogue, "CATALOGUES", tmp_path)
    content = {"prompt": {"1": node("Packed", name="flux.gguf"), "2": node("PreviewAny", source=["1", 0])}}
    runtime = replace(DYNAMIC, options={"catalogue": "packs.json", "allow": ["Packed"]})
    assert RULES.affinity(content, runtime) == "diffusion_models/flux.gguf"


def test_a_model_is_looked_up_in_its_folder_and_in_the_image() -> None:
    model = ModelRequirement("checkpoints", "cats.safetensors", "")
    assert RULES.look_up(model, ["cats.safetensors"], []).exists
    assert RULES.look_up(model, [], ["cats.safetensors"]).exists
    assert RULES.look_up(model, [], None).exists is None
    missing = RULES.look_up(model, ["cat.safetensors"], ["x"])
    assert missing.exists is False
    assert "nearest is 'cat.safetensors'" in missing.reason


def test_work_counts_steps_pixels_and_images() -> None:
    content = checked(with_input("5", "batch_size", 2)).content
    assert RULES.cost("pipeline", content) == 20 * 512 * 512 * 2
    assert RULES.kind("pipeline", content) == "pipeline KSampler"
