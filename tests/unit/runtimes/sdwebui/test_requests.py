"""Requests that callers of SD Web UI really send are understood as they were meant, or refused."""

import copy
import json
from typing import Any

import pytest

from domain.envelope import Submission
from domain.errors import InvalidTask
from domain.limits import Limits
from domain.routing import Runtime, Runtimes
from functions.api import v1alpha1, v1alpha2
from runtimes.registry import RUNTIME_TYPES
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.prompts import MAX_DEPTH, MAX_MARKS, MAX_NETWORKS
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.unknown import FOREIGN_FIELDS, MAX_WARNINGS
from runtimes.sdwebui.work import sampling_work

MODEL = "v1-5-pruned-emaonly.safetensors"
RUNTIMES = Runtimes([Runtime("static", model_filename=MODEL), Runtime("dynamic", dynamic_model=True)])
LINK = "https://example.com/cat.png"
TEXT, IMAGE = TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE
EXTRA, BATCH = TaskType.EXTRA_SINGLE_IMAGE, TaskType.EXTRA_BATCH_IMAGES


def checkpoint(submission: Submission) -> str | None:
    """Return the checkpoint that an accepted task names."""
    return RUNTIME_TYPES[submission.runtime.type].affinity(submission.task.content, submission.runtime)


def submit(
    content: dict[str, Any],
    tasktype: TaskType = TEXT,
    *,
    runtime: str = "static",
    limits: Limits | None = None,
) -> Submission:
    metadata = {"id": "case", "runtime": runtime, "tasktype": tasktype.value, "prefix": "output"}
    body = {"task": {"metadata": metadata, "content": copy.deepcopy(content)}}
    return v1alpha2.decode(body, RUNTIMES, limits or Limits())


def warning_messages(submission: Submission) -> dict[str, str]:
    return {fault.path.removeprefix("/task/content"): fault.message for fault in submission.warnings}


def fault_messages(content: dict[str, Any], tasktype: TaskType = TEXT, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidTask) as error:
        submit(content, tasktype, **fields)
    return {fault.path.removeprefix("/task/content"): fault.message for fault in error.value.faults}


# As an extension of SD Web UI's page exports it, with entries for scripts that the API does not have.
EXPORTED_REQUEST: dict[str, Any] = {
    "prompt": "a lighthouse at dusk",
    "steps": 12,
    "sampler_name": "DPM++ 2M",
    "scheduler": "Karras",
    "seed": 3402,
    "s_tmax": None,
    "script_args": [],
    "script_name": None,
    "alwayson_scripts": {
        "API payload": {"args": []},
        "Comments": {"args": []},
        "ControlNet": {
            "args": [{"enabled": False, "module": "None", "model": "None", "batch_image_dir": ""}]
        },
        "Extra options": {"args": []},
        "Refiner": {"args": [False, "", 0.8]},
        "Sampler": {"args": [12, "DPM++ 2M", "Karras"]},
        "Seed": {"args": [3402, False, -1, 0, 0, 0]},
    },
}


@pytest.mark.parametrize("name", ["seed", "subseed"])
def test_all_seeds_of_a_batch_must_fit_into_64_bits(name: str) -> None:
    last = (1 << 64) - 1

    assert submit({name: last}).task.content[name] == last
    assert submit({name: last - 3, "batch_size": 2, "n_iter": 2})
    assert fault_messages({name: last - 2, "batch_size": 2, "n_iter": 2}).keys() == {f"/{name}"}
    assert fault_messages({name: last + 1}).keys() == {f"/{name}"}
    delta = {"override_settings": {"eta_noise_seed_delta": 31337}}
    assert fault_messages({name: last - 31336} | delta).keys() == {f"/{name}"}
    assert submit({name: last - 31337} | delta)


def test_a_unit_without_an_image_is_refused_if_the_task_has_none() -> None:
    scripts = {"alwayson_scripts": {"ControlNet": {"args": [{"module": "canny"}, {"image": LINK}]}}}

    assert fault_messages(scripts).keys() == {"/alwayson_scripts/ControlNet/args/0"}
    assert submit({**scripts, "init_images": [LINK]}, IMAGE)


def test_a_request_copied_from_web_uis_own_page_is_accepted() -> None:
    submission = submit(EXPORTED_REQUEST)

    scripts = submission.task.content["alwayson_scripts"]
    assert scripts == {"Comments": {"args": []}, "ControlNet": {"args": []}}
    assert warning_messages(submission).keys() == {
        f"/alwayson_scripts/{name}" for name in ("API payload", "Extra options", "Refiner", "Sampler", "Seed")
    }


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("Refiner", [True, "other.safetensors", 0.8]),
        ("Sampler", [20, "DPM++ 2M", "Karras"]),
        ("Sampler", [12, "Euler", "Karras"]),
        ("Sampler", [12, "DPM++ 2M", "Exponential"]),
        ("Seed", [1, False, -1, 0, 0, 0]),
        ("Seed", [3402, True, 7, 0.5, 0, 0]),
        ("Seed", [3402, True, -1, 0, 512, 0]),
        ("Extra options", ["sd_vae", "x"]),
        ("Custom code", []),
    ],
)
def test_a_script_that_contradicts_the_content_is_refused(script: str, arguments: list[Any]) -> None:
    scripts = {**EXPORTED_REQUEST["alwayson_scripts"], script: {"args": arguments}}

    assert fault_messages({**EXPORTED_REQUEST, "alwayson_scripts": scripts}).keys() == {
        f"/alwayson_scripts/{script}"
    }


def test_every_placeholder_of_the_api_page_is_named_at_once() -> None:
    content = dict.fromkeys(
        ("sampler_name", "scheduler", "refiner_checkpoint", "firstpass_image", "mask", "latent_mask"),
        "string",
    ) | {"script_name": "string", "styles": ["string"], "init_images": ["string"], "prompt": "string"}

    messages = fault_messages(content, IMAGE)

    assert messages.keys() == {
        *(f"/{name}" for name in content if name not in ("prompt", "styles", "init_images")),
        "/styles/0",
        "/init_images/0",
    }
    assert all("placeholder" in messages[path] for path in messages if path != "/refiner_checkpoint")


def test_fields_of_hires_fix_are_not_checked_without_it() -> None:
    content = {"enable_hr": "false", "hr_upscaler": "string", "hr_scale": 2, "restore_faces": "False"}

    normalized_content = submit(content).task.content

    assert normalized_content["enable_hr"] is False
    assert normalized_content["restore_faces"] is False
    assert "/hr_upscaler" in fault_messages({**content, "enable_hr": "true"})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("hires_fix", "enable_hr"),
        ("clip_skip", "override_settings.CLIP_stop_at_last_layers"),
        ("guidance_scale", "cfg_scale"),
        ("num_inference_steps", "steps"),
        ("sampler-name", "sampler_name"),
        ("negativePrompt", "negative_prompt"),
        ("stepss", "steps"),
        ("CFG_scale", "cfg_scale"),
    ],
)
def test_a_field_that_sd_web_ui_ignores_gets_a_warning_with_a_suggestion(name: str, suggestion: str) -> None:
    messages = warning_messages(submit({"prompt": "x", name: 1}))

    assert messages.keys() == {f"/{name}"}
    assert messages[f"/{name}"].endswith(f"did you mean {suggestion}?")


def test_the_warning_for_a_field_of_another_task_type_says_so() -> None:
    assert "image-to-image" in warning_messages(submit({"init_images": [LINK]}))["/init_images"]
    assert (
        "text-to-image" in warning_messages(submit({"image": LINK, "enable_hr": True}, EXTRA))["/enable_hr"]
    )


def test_the_number_of_warnings_is_limited() -> None:
    messages = submit({"x" * 5000 + str(index): 1 for index in range(1000)}).warnings

    assert len(messages) == MAX_WARNINGS + 1
    assert all(len(fault.path) < 200 for fault in messages)


def test_no_foreign_name_is_a_field() -> None:
    from runtimes.sdwebui.fields import FIELDS

    assert not FOREIGN_FIELDS.keys() & FIELDS[TEXT].keys()


@pytest.mark.parametrize("value", [True, "true", 1])
def test_controlnet_maps_are_switched_off_per_unit_and_not_by_a_global_setting(value: Any) -> None:
    units = [
        {"module": "canny", "image": LINK},
        {"module": "depth", "image": LINK, "save_detected_map": True},
    ]
    submission = submit(
        {
            "override_settings": {"control_net_no_detectmap": value},
            "alwayson_scripts": {"ControlNet": {"args": units}},
        }
    )

    content = submission.task.content
    assert [unit["save_detected_map"] for unit in content["alwayson_scripts"]["ControlNet"]["args"]] == [
        False
    ] * 2
    assert content["override_settings"] == {}
    assert warning_messages(submission).keys() == {"/override_settings/control_net_no_detectmap"}


@pytest.mark.parametrize("tasktype", [EXTRA, BATCH])
def test_scripts_in_an_extra_task_are_refused(tasktype: TaskType) -> None:
    content: dict[str, Any] = {"image": LINK, "imageList": [{"data": LINK, "name": "a"}]}
    content |= {"script_name": "reactor", "alwayson_scripts": {"reactor": {"args": [LINK, True]}}}

    assert fault_messages(content, tasktype).keys() == {"/script_name", "/alwayson_scripts/reactor"}


@pytest.mark.parametrize("entry", [{}, {"args": []}, {"args": [False, LINK]}])
def test_a_script_that_is_off_is_left_out_of_an_extra_task(entry: dict[str, Any]) -> None:
    content = {"image": LINK, "upscaler_1": "Lanczos", "alwayson_scripts": {"reactor": entry}}
    submission = submit(content, EXTRA)

    assert warning_messages(submission).keys() == {"/alwayson_scripts/reactor"}
    assert "reactor" not in submission.task.content["alwayson_scripts"]


@pytest.mark.parametrize("entry", [{}, {"args": []}])
def test_an_empty_entry_of_a_script_that_is_not_allowed_is_left_out(entry: dict[str, Any]) -> None:
    check = ContentCheck(TEXT, Runtime("r", model_filename=MODEL, scripts=frozenset()), path="")
    content = check.normalize({"prompt": "a", "alwayson_scripts": {"Comments": entry}})

    assert check.faults == []
    assert [fault.path for fault in check.warnings] == ["/alwayson_scripts/Comments"]
    assert content["alwayson_scripts"] == {}


def test_a_copy_with_the_seed_that_was_drawn_is_taken() -> None:
    scripts = {"Seed": {"args": [-1, False, -1, 0, 0, 0]}}
    assert submit({"seed": 3402, "alwayson_scripts": scripts}).task.content["seed"] == 3402


def test_settings_in_an_extra_task_get_a_warning() -> None:
    content = {
        "image": LINK,
        "upscaler_1": "Lanczos",
        "alwayson_scripts": {"sd_vae": "x", "sd_model_checkpoint": MODEL},
    }

    assert warning_messages(submit(content, EXTRA)).keys() == {"/alwayson_scripts/sd_vae"}


def test_the_error_for_an_xyz_plot_refers_to_the_operator() -> None:
    messages = fault_messages({"script_name": "X/Y/Z plot", "script_args": [6, "4,7,10"]})

    assert "do not list it" in messages["/script_name"]
    assert "send one task for each value" in messages["/script_name"]


@pytest.mark.parametrize(
    ("field", "values"),
    [("prompt", ["a", "b"]), ("seed", [1, 2]), ("cfg_scale", [4, 7, 10]), ("steps", ["8", 9])],
)
def test_several_values_for_a_field_are_several_tasks(field: str, values: list[Any]) -> None:
    assert "send one task for each value" in fault_messages({"prompt": "a", field: values})[f"/{field}"]


@pytest.mark.parametrize(
    ("allowed_scripts", "name", "is_allowed"),
    [
        ({"*", "x/y/z plot"}, "X/Y/Z plot", True),
        ({"*", "x/y/z plot"}, "controlnet", True),
        ({"*"}, "X/Y/Z plot", False),
        ({"*"}, "custom code", False),
        ({"x/y/z plot"}, "controlnet", False),
    ],
)
def test_a_star_in_the_list_of_scripts_means_those_allowed_by_default(
    allowed_scripts: set[str], name: str, *, is_allowed: bool
) -> None:
    runtime = Runtime("r", model_filename=MODEL, scripts=frozenset(allowed_scripts))
    check = ContentCheck(TEXT, runtime, path="")
    check.normalize({"script_name": name})

    assert (not check.faults) is is_allowed


def test_a_checkpoint_in_a_folder_may_be_named_with_a_backslash() -> None:
    settings = {"sd_model_checkpoint": "sdxl\\Realities_4.safetensors [f61328e842]", "sd_vae": "a\\b.pt"}
    submission = submit(
        {"override_settings": settings, "refiner_checkpoint": "sdxl\\refiner"}, runtime="dynamic"
    )

    assert checkpoint(submission) == "sdxl/Realities_4.safetensors [f61328e842]"
    assert submission.task.content["refiner_checkpoint"] == "sdxl/refiner"
    assert submission.task.content["override_settings"] == {"sd_vae": "a/b.pt"}


@pytest.mark.parametrize("name", ["none", "None", "", "use same checkpoint", None])
def test_all_spellings_of_no_second_checkpoint_are_understood(name: str | None) -> None:
    content = {"enable_hr": True, "refiner_checkpoint": name, "hr_checkpoint_name": name}

    assert not submit(content).task.content.keys() & {"refiner_checkpoint", "hr_checkpoint_name"}


def test_fields_for_returning_images_are_overridden_with_a_warning() -> None:
    content = {"send_images": False, "save_images": True, "do_not_save_grid": False}
    submission = submit(content)

    assert warning_messages(submission).keys() == {"/send_images", "/save_images", "/do_not_save_grid"}
    assert not submission.task.content.keys() & content.keys()


@pytest.mark.parametrize(
    ("tasktype", "field", "expected"), [(IMAGE, "init_images", [LINK]), (EXTRA, "image", LINK)]
)
def test_v1alpha2_accepts_image_link_as_v1alpha1_does(tasktype: TaskType, field: str, expected: Any) -> None:
    scripts = {"image_link": LINK, "sd_model_checkpoint": MODEL}
    submission = (
        submit({"prompt": "x", "alwayson_scripts": scripts}, tasktype)
        if field != "image"
        else submit({"alwayson_scripts": scripts}, tasktype)
    )
    first = v1alpha1.decode(
        {"alwayson_scripts": {**scripts, "task": tasktype.value, "id_task": "case"}}, RUNTIMES
    )

    assert submission.task.content[field] == first.task.content[field] == expected
    assert warning_messages(submission)["/alwayson_scripts/image_link"] == f"taken as {field}"
    assert "image_link" not in json.dumps(submission.task.content)


def test_image_link_beside_other_images_is_ignored_with_a_warning() -> None:
    content = {"init_images": [LINK + "?2"], "alwayson_scripts": {"image_link": LINK}}
    submission = submit(content, IMAGE)

    assert submission.task.content["init_images"] == [LINK + "?2"]
    assert "ignored" in warning_messages(submission)["/alwayson_scripts/image_link"]


def test_a_size_that_sd_web_ui_rounds_gets_a_warning() -> None:
    messages = warning_messages(submit({"width": 65, "height": 64, "hr_resize_x": 130}))

    assert messages.keys() == {"/width", "/hr_resize_x"}
    assert "64" in messages["/width"]


def test_networks_are_removed_from_prompts_if_they_are_disabled() -> None:
    content = {
        "disable_extra_networks": "true",
        "prompt": "a <lora:style:0.8> cat <hypernet:x>",
        "hr_prompt": "<lyco:y:1:lbw=1>dog",
        "script_args": ["<lora:z:1>b", 3],
    }
    submission = submit(content)

    normalized_content = submission.task.content
    assert (
        normalized_content["prompt"],
        normalized_content["hr_prompt"],
        normalized_content["script_args"],
    ) == ("a  cat ", "dog", ["b", 3])
    assert warning_messages(submission).keys() == {"/prompt", "/hr_prompt", "/script_args"}
    assert submit({**content, "disable_extra_networks": "false"}).task.content["prompt"] == content["prompt"]


def test_a_script_that_is_named_twice_is_refused() -> None:
    scripts: dict[str, Any] = {"ControlNet": {"args": []}, "controlnet": {"args": []}}

    assert fault_messages({"alwayson_scripts": scripts}).keys() == {"/alwayson_scripts/controlnet"}


@pytest.mark.parametrize("path", ["/prompt", "/hr_negative_prompt", "/script_args/0", "ad_prompt"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 10_001, "10000 characters"),
        ("[" * (MAX_DEPTH + 1), "deep"),
        ("(a:1.1)" * (MAX_MARKS // 3 + 1), "at most"),
        ("<lora:a:1>" * (MAX_NETWORKS + 1), "networks"),
    ],
)
def test_prompts_are_limited_wherever_they_are(path: str, text: str, why: str) -> None:
    content: dict[str, Any] = {path.split("/")[1]: text} if path.startswith("/") else {}
    if path == "/script_args/0":
        content = {"script_args": [text]}
    elif not content:
        content = {"alwayson_scripts": {"ADetailer": {"args": [{"ad_prompt": text}]}}}
        path = "/alwayson_scripts/ADetailer/args/0/ad_prompt"

    assert why in fault_messages(content)[path]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "(" * MAX_DEPTH + ")" * MAX_DEPTH,
        "(a:1.1)" * (MAX_MARKS // 3),
        r"\(" * 4000,
        "<lora:a:1>" * MAX_NETWORKS,
    ],
)
def test_a_prompt_at_its_limit_is_accepted(text: str) -> None:
    assert submit({"prompt": text}).task.content["prompt"] == text


@pytest.mark.parametrize(
    ("content", "times"),
    [
        ({}, 1),
        ({"steps": 100}, 2),
        ({"batch_size": 2, "n_iter": 3}, 6),
        ({"enable_hr": True}, 5),
        ({"steps": 1, "sampler_name": "DPM adaptive"}, 1),
        ({"enable_hr": True, "hr_second_pass_steps": 25}, 3),
        ({"enable_hr": True, "hr_resize_x": 2048}, 5),
        ({"script_name": "prompt matrix", "prompt": "a|b|c"}, 4),
        ({"script_name": "loopback", "script_args": [3]}, 3),
        ({"alwayson_scripts": {"ADetailer": {"args": [{}, {}]}}}, 3),
        ({"script_name": "SD upscale", "script_args": [None, 64, "None", 2]}, 5),
    ],
)
def test_work_is_counted_in_steps_pixels_and_images_of_all_passes(
    content: dict[str, Any], times: float
) -> None:
    base = {"steps": 50, "width": 1024, "height": 1024}

    assert sampling_work(TEXT, base | content) == times * sampling_work(TEXT, base)


def test_the_error_for_too_much_work_names_the_amount() -> None:
    messages = fault_messages({"steps": 1000, "width": 2048, "height": 2048, "batch_size": 8, "n_iter": 8})

    assert messages.keys() == {"/steps"}
    assert "268435456000" in messages["/steps"]
    assert fault_messages({"steps": 20}, limits=Limits(work=20 * 512 * 512 - 1)).keys() == {"/steps"}
    assert submit({"steps": 20}, limits=Limits(work=20 * 512 * 512))


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"script_name": "SD upscale", "script_args": [None, 64, "None", 17]}, "/script_args/3"),
        (
            {"script_name": "ultimate sd upscale", "script_args": [None] * 14 + [2, 1, 1, 17]},
            "/script_args/17",
        ),
        (
            {"script_name": "ultimate sd upscale", "script_args": [None] * 14 + [1, 8192, 8193, 2]},
            "/script_args/15",
        ),
        ({"script_name": "loopback", "script_args": [65]}, "/script_args/0"),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"processor_res": 4096}]}}},
            "/alwayson_scripts/controlnet/args/0/processor_res",
        ),
        (
            {
                "alwayson_scripts": {
                    "ADetailer": {"args": [{"ad_inpaint_width": 8192, "ad_inpaint_height": 8192}]}
                }
            },
            "/alwayson_scripts/ADetailer/args/0/ad_inpaint_width",
        ),
        (
            {"alwayson_scripts": {"ADetailer": {"args": [{"ad_steps": 1001}]}}},
            "/alwayson_scripts/ADetailer/args/0/ad_steps",
        ),
    ],
)
def test_the_work_of_scripts_is_limited(content: dict[str, Any], path: str) -> None:
    assert path in fault_messages({**content, "init_images": [LINK]}, IMAGE)
