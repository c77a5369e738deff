"""Properties of the rules for workflows that hold for any JSON."""

import json
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits import DEFAULT_LIMITS
from runtimes.comfyui.guard import escapes
from runtimes.comfyui.options import Options
from runtimes.comfyui.runtime_type import ComfyUi
from tests.support.workflows import DYNAMIC, LINK, PNG, checked, image_to_image

CLASSES: Final = [
    "KSampler",
    "LoadImage",
    "SaveImage",
    "CLIPTextEncode",
    "PrimitiveString",
    "SaveVideo",
    "Nope",
]
NAMES: Final = ["image", "text", "seed", "steps", "width", "filename_prefix", "ckpt_name", "value", "model"]
PIECES: Final = [
    "..",
    "/",
    "\\",
    "a",
    "C:",
    "~",
    " [output]",
    "http://h",
    "file:",
    "\0",
    "embedding:",
    ".",
    " ",
]
texts: Final = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=20)
scalars: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from([LINK, PNG, 10**400, -1])
)
json_values: Final = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
ids: Final = st.sampled_from(["1", "2", "3"])
links: Final = st.tuples(ids, st.integers(-1, 3) | st.floats()).map(list)
nodes: Final = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(CLASSES) | json_values,
        "inputs": st.dictionaries(st.sampled_from(NAMES), links | json_values, max_size=6) | json_values,
    }
)
workflows: Final = st.dictionaries(ids, nodes | json_values, max_size=3) | json_values
contents: Final = (
    st.dictionaries(texts, json_values, max_size=4)
    | st.dictionaries(ids, nodes, max_size=3)
    | st.fixed_dictionaries(
        {},
        optional={"prompt": workflows, "files": json_values, "outputs": json_values, "workflow": json_values},
    )
    | st.fixed_dictionaries({"workflow": workflows, "images": json_values})
)


@settings(max_examples=400)
@given(contents)
def test_no_json_makes_the_rules_raise(content: dict[str, Any]) -> None:
    result = checked(content)
    rules = ComfyUi()
    if not result.faults:
        list(rules.models(result.content, DYNAMIC))
        list(rules.inputs("pipeline", result.content))
        rules.affinity(result.content, DYNAMIC)
        rules.cost("pipeline", result.content)
        rules.kind("pipeline", result.content)
        json.dumps(rules.settled(result.content, "key"))
        assert checked(result.content).content == result.content


@settings(max_examples=400)
@given(contents)
def test_the_order_of_messages_is_found_for_any_content(content: dict[str, Any]) -> None:
    ComfyUi().affinity(content, DYNAMIC)


@settings(max_examples=400)
@given(text=texts, prefix=texts, image=texts, model=texts, title=texts)
def test_nothing_that_is_accepted_names_another_place(
    text: str, prefix: str, image: str, model: str, title: str
) -> None:
    workflow = image_to_image(image)
    workflow["6"]["inputs"]["text"] = text
    workflow["4"]["inputs"]["ckpt_name"] = model
    workflow["9"] |= {"_meta": {"title": title}}
    workflow["9"]["inputs"]["filename_prefix"] = prefix
    result = checked({"prompt": workflow, "files": {image: PNG}})
    if not result.faults:
        prompt = result.content["prompt"]
        folder = "f0f0"
        prompt["9"]["inputs"]["filename_prefix"] = f"{folder}/{prompt['9']['inputs']['filename_prefix']}"
        escaping_inputs = escapes(prompt, Options(), files=result.content["files"], folder=folder)
        assert not list(escaping_inputs)
        for name in (model, image):
            assert not set(name) & set("\\\0")
            assert ".." not in name.split("/")
            assert not name.startswith("/")
        is_one_word = len(text.split()) == 1 and text.strip("/ ")
        assert not (is_one_word and text.strip().startswith(("/", "~/", "../", "file:/")))


@settings(max_examples=200)
@given(value=json_values)
def test_any_value_in_any_input_is_accepted_or_refused_but_never_raises(
    value: Any,
) -> None:
    for name in ("seed", "steps", "cfg", "sampler_name", "model"):
        workflow = image_to_image()
        workflow["3"]["inputs"][name] = value
        ComfyUi().validate("pipeline", {"prompt": workflow}, None, DEFAULT_LIMITS)
