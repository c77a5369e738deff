"""What a workflow asks for is in its picture, and what it does not ask for is not."""

from typing import Any

import pytest

from local.fakes.comfyui import recipe
from local.fakes.comfyui.process import FakeComfyUi
from tests.support.comfyui import CHECKPOINT, Client, image_to_image, listening, node, png, text_to_image


def test_a_text_to_image_workflow_makes_a_picture_of_its_text(client: Client) -> None:
    picture_recipe = client.run_and_read_recipe(text_to_image(seed=7, text="a red cube", steps=3))
    expected = {"prompt": "a red cube", "negative": "fog", "seed": 7, "steps": 3, "model": CHECKPOINT}
    assert expected.items() <= picture_recipe.items()
    assert picture_recipe["reference"] is None


@pytest.mark.parametrize(
    ("name", "value", "fact"),
    [
        ("seed", 8, "seed"),
        ("steps", 4, "steps"),
        ("cfg", 3.0, "cfg"),
        ("sampler_name", "heun", "sampler"),
        ("scheduler", "karras", "scheduler"),
        ("denoise", 0.5, "denoise"),
    ],
)
def test_each_input_of_the_sampler_changes_the_picture(
    client: Client, name: str, value: Any, fact: str
) -> None:
    flow = text_to_image()
    before = client.image(client.run(flow))
    flow["3"]["inputs"][name] = value
    after = client.image(client.run(flow))
    assert before.tobytes() != after.tobytes()
    picture_recipe = recipe.read(after)
    assert picture_recipe is not None
    assert picture_recipe[fact] == value


def test_an_uploaded_image_is_in_the_picture(client: Client) -> None:
    names = [client.upload(f"{colour}.png", png(colour)) for colour in ("red", "blue")]
    references = [client.run_and_read_recipe(image_to_image(name))["reference"] for name in names]
    assert references[0] != references[1]
    assert all(picture["size"] == [64, 64] for picture in references)


def test_a_mask_keeps_what_it_does_not_cover(client: Client) -> None:
    name = client.upload("half.png", png("red"))
    mask = client.upload("mask.png", png("white"))
    flow = image_to_image(name)
    flow["10"] = node("LoadImageMask", image=mask, channel="red")
    flow["11"] = node("SetLatentNoiseMask", samples=["5", 0], mask=["10", 0])
    flow["3"]["inputs"]["latent_image"] = ["11", 0]
    assert client.run_and_read_recipe(flow)["mask_sha256"] is not None


def test_a_lora_and_a_controlnet_are_in_the_picture(client: Client) -> None:
    flow = text_to_image()
    lora = {"model": ["4", 0], "clip": ["4", 1], "lora_name": "example-lora.safetensors"}
    flow["20"] = node("LoraLoader", **lora, strength_model=0.7, strength_clip=1.0)
    flow["21"] = node("ControlNetLoader", control_net_name="control_v11p_sd15_canny.safetensors")
    flow["1"] = node("LoadImage", image=client.upload("edges.png", png("green")))
    flow["22"] = node(
        "ControlNetApply", conditioning=["6", 0], control_net=["21", 0], image=["1", 0], strength=0.8
    )
    flow["3"]["inputs"] |= {"model": ["20", 0], "positive": ["22", 0]}
    picture_recipe = client.run_and_read_recipe(flow)
    assert picture_recipe["loras"][0].startswith("example-lora.safetensors:0.7:")
    assert picture_recipe["controls"][0]["strength"] == 0.8


def test_a_picture_of_a_batch_tells_its_place(client: Client) -> None:
    flow = text_to_image()
    flow["5"]["inputs"]["batch_size"] = 3
    entry = client.run(flow)
    recipes = [recipe.read(client.image(entry, place=place)) for place in range(3)]
    assert [picture_recipe and picture_recipe["batch_index"] for picture_recipe in recipes] == [0, 1, 2]


def test_a_loaded_image_that_is_saved_keeps_its_pixels(client: Client) -> None:
    flow = {"1": node("LoadImage", image=client.upload("a.png", png("red")))}
    flow["9"] = node("PreviewImage", images=["1", 0])
    entry = client.run(flow)
    assert entry["outputs"]["9"]["images"][0]["type"] == "temp"
    assert client.image(entry).getextrema() == ((255, 255), (0, 0), (0, 0))


def test_a_websocket_follows_its_own_job_to_the_end(comfyui: FakeComfyUi, client: Client) -> None:
    with listening(comfyui.url, "me") as own_socket, listening(comfyui.url, "other") as other:
        job = client.queue(text_to_image(), client_id="me")
        own_socket.wait_for("executing", node=None, prompt_id=job)
        assert {"execution_start", "progress_state", "progress", "executed"} <= set(own_socket.types())
        other.wait_for("status")
        assert set(other.types()) == {"status"}
