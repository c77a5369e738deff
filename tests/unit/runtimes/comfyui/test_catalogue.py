import subprocess
import sys
from pathlib import Path

import pytest

from local.fakes.comfyui.catalogue import CLASSES
from runtimes.comfyui.catalogue import load
from runtimes.comfyui.workflow import longest_chain, order, reachable
from tests.support.workflows import image_to_image, text_to_image
from tools.node_catalogue.markers import markers
from tools.node_catalogue.reduce import KNOWN_INPUTS, Reducer

NEWER = {"exp_heun_2_x0", "exp_heun_2_x0_sde"}
"""Choices of ComfyUI 0.27.0, which the fake can be too."""


def test_the_shipped_catalogue_tells_the_inputs_of_core_classes() -> None:
    catalogue = load()
    assert catalogue.version == "0.3.64"
    sampler, loader, save = (catalogue.classes[name] for name in ("KSampler", "LoadImage", "SaveImage"))
    assert sampler.outputs == ("LATENT",)
    assert (sampler.inputs["steps"].minimum, sampler.inputs["steps"].maximum) == (1, 10_000)
    assert "euler" in sampler.inputs["sampler_name"].choices
    assert loader.inputs["image"].media == "image"
    assert save.is_output
    assert save.inputs["filename_prefix"].kind == "prefix"
    assert catalogue.classes["LoraLoader"].inputs["lora_name"].folder == "loras"
    assert not catalogue.classes["CLIPLoader"].inputs["device"].required


def test_the_shipped_catalogue_knows_all_inputs_that_name_models_or_files() -> None:
    catalogue = load()
    for name, kind in KNOWN_INPUTS.items():
        node, _, input_name = name.partition(".")
        if node in catalogue.classes:
            assert catalogue.classes[node].inputs[input_name].kind == kind, name
    assert (
        len(
            [
                known_input
                for known_input in KNOWN_INPUTS
                if known_input.partition(".")[0] in catalogue.classes
            ]
        )
        > 30
    )


def test_the_shipped_catalogue_has_the_fakes_core_classes_with_their_choices() -> None:
    catalogue = load()
    for name, description in CLASSES.items():
        if description["python_module"].startswith("custom_nodes"):
            assert name not in catalogue.classes
            continue
        assert set(description["input"].get("required", {})) <= catalogue.classes[name].inputs.keys()
        for input_name, declared in description["input"].get("required", {}).items():
            kind = catalogue.classes[name].inputs[input_name]
            if isinstance(declared[0], list) and kind.kind == "choice":
                assert set(declared[0]) - NEWER <= set(kind.choices)


def test_the_tool_finds_the_inputs_of_custom_nodes_by_marker_files() -> None:
    reducer = Reducer({"zz-loras.safetensors": "model:loras", "zz.png": "file:image"})
    inputs = {
        "required": {
            "model": [["a.safetensors", "zz-loras.safetensors"]],
            "picture": ["COMBO", {"options": ["zz.png"]}],
            "mode": [["fast", "slow"], {}],
            "save_path": ["STRING", {}],
            "size": ["INT", {"min": 1, "max": 9}],
            "format": ["COMFY_DYNAMICCOMBO_V3", {}],
        }
    }
    info = {"Mine": {"input": inputs, "output": ["IMAGE"], "python_module": "custom_nodes.mine"}}
    reducer.add(info, custom=True)
    assert reducer.classes["Mine"]["inputs"] == {
        "model": "model:loras",
        "picture": "file:image",
        "mode": ["choice", 0],
        "save_path": "path",
        "size": ["INT", 1, 9],
        "format": "*",
    }
    reducer.add({"Paid": {"input": {}, "output": [], "api_node": True}}, custom=True)
    assert "Paid" not in reducer.classes
    without = Reducer()
    without.add(info, custom=False)
    assert without.classes == {}


def test_markers_are_put_into_folders_by_the_servers_own_names_only(tmp_path: Path) -> None:
    for name in ("models/text_encoders", "models/clip", "input"):
        (tmp_path / name).mkdir(parents=True)
    with markers(tmp_path, ["text_encoders", "vae"]) as meaning:
        assert [kind for kind in meaning.values() if kind.startswith("model:")] == ["model:text_encoders"]
        assert list((tmp_path / "models" / "clip").iterdir()) == []
        assert set(meaning) == {path.name for path in tmp_path.rglob("*.*")}
    assert list(tmp_path.rglob("*.*")) == []


def test_a_catalogues_name_is_no_path() -> None:
    with pytest.raises(ValueError, match="not the name"):
        load("../catalogue.json")


def test_the_catalogue_is_not_read_before_a_task_needs_it() -> None:
    code = (
        "import runtimes.comfyui.runtime_type, runtimes.comfyui.catalogue as c;"
        "assert c.load.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nodes_are_ordered_after_those_they_need() -> None:
    workflow = image_to_image()
    ordered = order(workflow)
    assert ordered.index("4") < ordered.index("3") < ordered.index("8") < ordered.index("9")
    assert reachable(text_to_image(), ["8"]) == {"3", "4", "5", "6", "7", "8"}
    assert longest_chain(text_to_image()) == 5
