"""How values of the command line become values of a body."""

from pathlib import Path
from typing import Any

import pytest

from sd_on_ecs.cli.values import assignments, at_pointer, image_argument, set_field, set_node_input, typed
from sd_on_ecs.cli.workflows import put_images, read_json
from sd_on_ecs.errors import InputError


def task(**content: Any) -> dict[str, Any]:
    return {"task": {"metadata": {}, "content": content}}


def graph() -> dict[str, Any]:
    return {
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a"}, "_meta": {"title": "Positive"}},
        "3": {"class_type": "KSampler", "inputs": {"seed": -1}, "_meta": {"title": "Sampler"}},
        "4": {"class_type": "KSampler", "inputs": {"seed": -1}, "_meta": {"title": "Sampler"}},
        "1": {"class_type": "LoadImage", "inputs": {"image": "cat.png"}},
        "7": {"class_type": "LoadPair", "inputs": {"image": "", "mask": ""}, "_meta": {"title": "Pair v1.5"}},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("7.5", 7.5), ("true", True), ("null", None), ("[1]", [1]), ("Euler a", "Euler a"), ("", "")],
)
def test_what_is_json_becomes_a_value_and_the_rest_is_text(text: str, value: Any) -> None:
    assert typed(text) == value


def test_what_replaces_a_text_stays_text() -> None:
    body = task(prompt="a cat")
    set_field(body, "prompt", "42")
    assert body["task"]["content"]["prompt"] == "42"


def test_dots_lead_into_objects() -> None:
    body = task()
    set_field(body, "override_settings.eta_noise_seed_delta", "31337")
    assert body["task"]["content"] == {"override_settings": {"eta_noise_seed_delta": 31337}}
    with pytest.raises(InputError, match="prompt is no object"):
        set_field(task(prompt=["a"]), "prompt.x", "1")


def test_a_node_is_named_by_its_id_or_its_title() -> None:
    body = task(prompt=graph())
    set_node_input(body, "6.text", "7")
    set_node_input(body, "3.seed", "7")
    nodes = body["task"]["content"]["prompt"]
    assert (nodes["6"]["inputs"]["text"], nodes["3"]["inputs"]["seed"]) == ("7", 7)
    set_node_input(body, "Positive.text", "b")
    assert nodes["6"]["inputs"]["text"] == "b"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("6.txet", "node 6 has no input txet; it has text"),
        ("9.text", "the nodes are 6, 3, 4, 1, 7"),
        ("Sampler.seed", "several nodes have this title"),
    ],
)
def test_a_node_or_an_input_that_does_not_exist_is_named(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        set_node_input(task(prompt=graph()), name, "1")


def test_images_get_names_of_their_own_in_the_inputs_that_take_them(tmp_path: Path) -> None:
    path = tmp_path / "dog.png"
    path.write_bytes(b"png")
    nodes = graph()
    files = put_images(nodes, [("1", str(path)), ("7.mask", "https://example.com/m.png?x=/y")])
    assert files == {"1-dog.png": path, "2-m.png": "https://example.com/m.png?x=/y"}
    assert nodes["1"]["inputs"]["image"] == "1-dog.png"
    assert nodes["7"]["inputs"] == {"image": "", "mask": "2-m.png"}


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("Load Image", "Load Image"),
        ("Load v1.5", "Load v1.5"),
        ("Load v1.5", "Load v1.5.image"),
        ("", "1.image"),
    ],
)
def test_an_image_goes_into_a_node_that_its_title_names(title: str, place: str) -> None:
    nodes = graph()
    nodes["1"]["_meta"] = {"title": title}
    put_images(nodes, [(place, "https://example.com/dog.png")])
    assert nodes["1"]["inputs"] == {"image": "1-dog.png"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("1.imgae", "node 1 has no input imgae; it has image"),
        ("Positive", "node 6 has no input image; it has text"),
        ("Pair v1.5.depth", "node 7 has no input depth; it has image, mask"),
        ("Load Image", "there is no node Load Image: the nodes are 6"),
        ("Sampler", "several nodes have this title"),
    ],
)
def test_an_image_for_no_node_or_no_input_is_refused(place: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        put_images(graph(), [(place, "https://example.com/dog.png")])


def test_a_pointer_leads_into_lists_and_objects() -> None:
    body = task(init_images=["a", "b"], **{"x/y": 1})
    at_pointer(body, "/task/content/init_images/1", "c")
    at_pointer(body, "/task/content/x~1y", 2)
    assert body["task"]["content"] == {"init_images": ["a", "c"], "x/y": 2}


@pytest.mark.parametrize(
    "pointer", ["", "task", "/nothing/here", "/task/content/init_images/7", "/task/x/0/y"]
)
def test_a_pointer_that_leads_nowhere_is_refused(pointer: str) -> None:
    with pytest.raises(InputError, match="leads to nothing"):
        at_pointer(task(init_images=["a"]), pointer, "c")


@pytest.mark.parametrize("text", ["seed", "=1", ""])
def test_an_assignment_has_a_name(text: str) -> None:
    with pytest.raises(InputError, match="is not NAME=VALUE"):
        assignments([text])


def test_an_image_is_a_link_or_a_file() -> None:
    assert image_argument("s3://bucket/cat.png") == "s3://bucket/cat.png"
    assert image_argument(__file__) == Path(__file__)
    with pytest.raises(InputError, match="is no file, and no link"):
        image_argument("cat.png")
    with pytest.raises(InputError, match="is no file, and no link"):
        image_argument("iVBORw0KGgo" * 1000)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is no JSON"), ("[]", "is no JSON object"), (None, "cannot be read")]
)
def test_a_file_that_is_no_request_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "flow.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_json(str(path))
