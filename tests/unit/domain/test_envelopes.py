"""Requests of v1alpha1 and v1alpha2: examples of AWS's Guidance, errors, routing and forbidden fields."""

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.body import parse_body
from domain.envelope import Submission
from domain.errors import ErrorCode, Fault, InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api import v1alpha1, v1alpha2
from runtimes.registry import RUNTIME_TYPES
from runtimes.sdwebui.checkpoints import serves
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.overrides import REFUSED_SETTING_PREFIXES, REFUSED_SETTINGS
from runtimes.sdwebui.policy import OWNED_FIELDS, ROUTING_KEYS
from runtimes.sdwebui.task_type import TaskType

CAT = "https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/diffusers/cat.png"
PROMPT = "cat wizard, gandalf, lord of the rings, detailed, fantasy, cute, adorable, Pixar, Disney, 8k"
MODEL = "v1-5-pruned-emaonly.safetensors"
STATIC = Runtime("sdruntime", model_filename=MODEL)
DYNAMIC = Runtime("dynamic", dynamic_model=True)
RUNTIMES = Runtimes([STATIC, DYNAMIC])
Decode = Callable[[dict[str, Any], Runtimes], Submission]

V1ALPHA2_REQUEST: dict[str, Any] = {
    "task": {
        "metadata": {
            "id": "test-i2i",
            "runtime": "sdruntime",
            "tasktype": "image-to-image",
            "prefix": "output",
            "context": "",
        },
        "content": {
            "alwayson_scripts": {},
            "prompt": PROMPT,
            "steps": 16,
            "width": 512,
            "height": 512,
            "init_images": [CAT],
        },
    }
}
V1ALPHA1_REQUEST: dict[str, Any] = {
    "alwayson_scripts": {
        "task": "image-to-image",
        "image_link": CAT,
        "id_task": "test-i2i",
        "sd_model_checkpoint": MODEL,
    },
    "prompt": PROMPT,
    "steps": 16,
    "width": 512,
    "height": 512,
}


def checkpoint(submission: Submission) -> str | None:
    """Return the checkpoint that an accepted task names."""
    return RUNTIME_TYPES[submission.runtime.type].affinity(submission.task.content, submission.runtime)


def v1alpha2_request(
    *, metadata: dict[str, Any] | None = None, content: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the Guidance's v1alpha2 request with some fields changed."""
    body = copy.deepcopy(V1ALPHA2_REQUEST)
    body["task"]["metadata"] |= metadata or {}
    body["task"]["content"] |= content or {}
    return body


def v1alpha1_request(*, scripts: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return the Guidance's v1alpha1 request with some fields changed."""
    body = copy.deepcopy(V1ALPHA1_REQUEST) | fields
    body["alwayson_scripts"] |= scripts or {}
    return body


def faults(body: dict[str, Any], decode: Any = v1alpha2.decode) -> dict[str, str]:
    """Return the errors of a request by JSON pointer."""
    with pytest.raises(InvalidTask) as raised:
        decode(body, RUNTIMES)
    return {fault.path: fault.message for fault in raised.value.faults}


def test_the_guidances_v1alpha2_request_is_accepted_unchanged() -> None:
    task = v1alpha2.decode(copy.deepcopy(V1ALPHA2_REQUEST), RUNTIMES).task

    assert (task.id, task.runtime, task.tasktype) == ("test-i2i", "sdruntime", TaskType.IMAGE_TO_IMAGE)
    assert (task.prefix, task.context) == ("output", "")
    assert task.content == V1ALPHA2_REQUEST["task"]["content"]
    assert task.keys.location("outputbucket") == "s3://outputbucket/output/test-i2i"


def test_the_guidances_v1alpha1_request_becomes_the_same_task() -> None:
    task = v1alpha1.decode(copy.deepcopy(V1ALPHA1_REQUEST), RUNTIMES).task

    assert (task.id, task.runtime, task.tasktype) == ("test-i2i", "sdruntime", TaskType.IMAGE_TO_IMAGE)
    assert (task.prefix, task.context) == ("output", None)
    assert task.content["init_images"] == [CAT]
    assert task.content["alwayson_scripts"] == {"sd_model_checkpoint": MODEL}
    assert "image_link" not in str(task.content)


def test_all_errors_of_a_v1alpha2_request_are_reported_at_once() -> None:
    body = v1alpha2_request(
        metadata={"id": "-", "runtime": "none", "tasktype": "dance", "prefix": "/a//..", "extra": 1},
        content={"alwayson_scripts": {"a/b~c": 3}, "override_settings": {"outdir_samples": "/"}},
    )

    pointers = faults(body)

    assert pointers.keys() == {
        "/task/metadata/id",
        "/task/metadata/runtime",
        "/task/metadata/tasktype",
        "/task/metadata/prefix",
        "/task/content/alwayson_scripts/a~1b~0c",
        "/task/content/override_settings/outdir_samples",
    }
    assert "sdruntime, dynamic" in pointers["/task/metadata/runtime"]


def test_all_errors_of_a_v1alpha1_request_are_reported_at_once() -> None:
    body = v1alpha1_request(
        scripts={"id_task": "", "save_dir": "..", "uid": [], "image_link": None}, steps="many", width=1
    )

    pointers = faults(body, v1alpha1.decode)

    assert pointers.keys() == {
        "/alwayson_scripts/id_task",
        "/alwayson_scripts/save_dir",
        "/alwayson_scripts/uid",
        "/init_images",
        "/steps",
        "/width",
    }
    assert "image_link" in pointers["/init_images"]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({}, "shape"),
        ({"task": []}, "shape"),
        ({"task": {}}, "shape"),
        ({"task": {"metadata": {}, "content": 1}}, "object"),
    ],
)
def test_the_error_for_a_body_of_another_shape_describes_the_expected_shape(
    body: dict[str, Any], hint: str
) -> None:
    assert hint in " ".join(faults(body).values())


def test_a_request_at_the_wrong_path_is_referred_to_the_right_one() -> None:
    assert "/v1alpha2" in faults(copy.deepcopy(V1ALPHA2_REQUEST), v1alpha1.decode)["/alwayson_scripts"]


@pytest.mark.parametrize(
    ("name", "runtime"),
    [(MODEL, "sdruntime"), ("v1-5-pruned-emaonly", "sdruntime"), ("other.safetensors", "dynamic")],
)
def test_the_models_name_selects_the_static_runtime_that_serves_it_or_else_a_dynamic_one(
    name: str, runtime: str
) -> None:
    assert (
        v1alpha1.decode(v1alpha1_request(scripts={"sd_model_checkpoint": name}), RUNTIMES).runtime.name
        == runtime
    )


def test_the_error_for_a_model_that_no_runtime_serves_lists_the_models() -> None:
    with pytest.raises(InvalidTask) as raised:
        v1alpha1.decode(v1alpha1_request(scripts={"sd_model_checkpoint": "x.ckpt"}), Runtimes([STATIC]))

    assert raised.value.code is ErrorCode.UNKNOWN_MODEL
    assert MODEL in raised.value.faults[0].message


def test_a_static_runtime_refuses_another_checkpoint() -> None:
    path = "/task/content/alwayson_scripts/sd_model_checkpoint"
    other = v1alpha2_request(content={"alwayson_scripts": {"sd_model_checkpoint": "other.safetensors"}})
    own = v1alpha2_request(content={"alwayson_scripts": {"sd_model_checkpoint": "v1-5-pruned-emaonly"}})

    assert MODEL in faults(other)[path]
    assert checkpoint(v1alpha2.decode(own, RUNTIMES)) == "v1-5-pruned-emaonly"


def test_a_dynamic_runtime_takes_the_checkpoint_from_the_routing_the_overrides_or_its_own_settings() -> None:
    body = v1alpha2_request(metadata={"runtime": "dynamic"})
    overridden = v1alpha2_request(
        metadata={"runtime": "dynamic"},
        content={"override_settings": {"sd_model_checkpoint": "m.ckpt", "emphasis": "None"}},
    )
    own = Runtimes([Runtime("dynamic", dynamic_model=True, model_filename="own.ckpt")])

    assert faults(copy.deepcopy(body)).keys() == {"/task/content/alwayson_scripts/sd_model_checkpoint"}
    assert checkpoint(v1alpha2.decode(body, own)) == "own.ckpt"
    submission = v1alpha2.decode(overridden, RUNTIMES)
    assert checkpoint(submission) == "m.ckpt"
    assert submission.task.content["override_settings"] == {"emphasis": "None"}
    assert [warning.path for warning in submission.warnings] == [
        "/task/content/override_settings/sd_model_checkpoint"
    ]


@pytest.mark.parametrize("name", sorted(OWNED_FIELDS))
def test_fields_that_the_service_sets_itself_are_dropped_with_a_warning(name: str) -> None:
    submission = v1alpha2.decode(v1alpha2_request(content={name: True}), RUNTIMES)

    assert name not in submission.task.content
    assert [warning.path for warning in submission.warnings] == [f"/task/content/{name}"]


@pytest.mark.parametrize("name", sorted({*REFUSED_SETTINGS, *(f"{p}x" for p in REFUSED_SETTING_PREFIXES)}))
@pytest.mark.parametrize("where", ["", "alwayson_scripts"])
def test_settings_that_change_the_server_are_refused_wherever_they_are(name: str, where: str) -> None:
    overrides = {"override_settings": {name: 1}}
    body = v1alpha2_request(content={where: overrides} if where else overrides)
    path = "/task/content/" + (f"{where}/" if where else "") + f"override_settings/{name}"

    assert faults(body).keys() == {path}


def test_normalizing_twice_changes_nothing() -> None:
    """The consumer normalizes messages again, because they can come from anywhere."""
    task = v1alpha2.decode(v1alpha2_request(content={"send_images": False}), RUNTIMES).task
    body = v1alpha2_request(metadata={"id": task.id}, content={})
    body["task"]["content"] = task.content

    twice = v1alpha2.decode(body, RUNTIMES)

    assert twice.task == task
    assert not twice.warnings


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*FIELDS[TaskType.IMAGE_TO_IMAGE], "image", "imageList"])
SCRIPTS = st.dictionaries(
    st.sampled_from([*sorted(ROUTING_KEYS), "controlnet"]),
    JSON | st.sampled_from([*(task_type.value for task_type in TaskType), MODEL, "id-1"]),
)
CONTENT = st.dictionaries(NAMES, JSON) | st.builds(
    lambda content, scripts: {**content, "alwayson_scripts": scripts}, st.dictionaries(NAMES, JSON), SCRIPTS
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("id-1") | JSON,
        "runtime": st.sampled_from(["sdruntime", "dynamic"]) | JSON,
        "tasktype": st.sampled_from([task_type.value for task_type in TaskType]) | JSON,
        "prefix": st.sampled_from(["output", "a/b/"]) | JSON,
        "context": JSON,
    },
)


def _assert_accepted_or_refused(
    decode: Callable[[dict[str, Any], Runtimes], Submission], body: dict[str, Any]
) -> None:
    reported_faults: Sequence[Fault] = ()
    try:
        _assert_keys_stay_below_the_prefix(decode(body, RUNTIMES))
    except InvalidTask as refusal:
        reported_faults = refusal.faults or [Fault("", "no fault is listed")]
    assert all(fault.path.startswith("/") for fault in reported_faults)


def _assert_keys_stay_below_the_prefix(submission: Submission) -> None:
    task = submission.task
    assert len(task.digest) == 64
    for key in (
        task.keys.image("ffff", 9999, "webm"),
        task.keys.other_image("ffff", "mask", 9999, "webm"),
        task.keys.output_document("ffff"),
    ):
        assert key.startswith(f"{task.prefix}/{task.id}/")
        assert not {"", ".", ".."} & set(key.split("/"))
        assert len(key.encode()) <= 1024


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    body=st.dictionaries(st.sampled_from(["task", "x"]), JSON)
    | st.builds(
        lambda metadata, content: {"task": {"metadata": metadata, "content": content}}, METADATA, CONTENT
    )
)
def test_any_v1alpha2_body_is_accepted_or_refused_with_a_pointer(body: Any) -> None:
    _assert_accepted_or_refused(v1alpha2.decode, body)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(body=CONTENT)
def test_any_v1alpha1_body_is_accepted_or_refused_with_a_pointer(body: dict[str, Any]) -> None:
    _assert_accepted_or_refused(v1alpha1.decode, body)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(
    raw=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass"))
)
def test_any_bytes_are_parsed_to_an_object_or_refused(raw: bytes) -> None:
    with contextlib.suppress(InvalidTask):
        assert isinstance(parse_body(raw), dict)


@pytest.mark.parametrize("own", [None, ""])
def test_a_runtime_without_a_checkpoint_of_its_own_serves_none(own: str | None) -> None:
    assert not serves(Runtime("r", dynamic_model=True, model_filename=own), "a.safetensors")
    [read] = Runtimes.from_json('[{"name": "r", "dynamicModel": true, "modelFilename": ""}]')
    assert read.model_filename is None
