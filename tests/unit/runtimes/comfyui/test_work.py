"""Limits of what a workflow computes: its nodes, its frames, its images and its work."""

import time
from dataclasses import replace
from typing import Any

import pytest

from domain.limits import DEFAULT_LIMITS
from runtimes.comfyui.options import MOST_NODES
from runtimes.comfyui.work import work
from tests.support.workflows import checked, faults, text_to_image

L = DEFAULT_LIMITS
SIDE = 512


def video(length: Any, *, steps: int = 1) -> dict[str, Any]:
    flow = text_to_image()
    flow["5"] = {
        "class_type": "EmptyHunyuanLatentVideo",
        "inputs": {"width": SIDE, "height": SIDE, "length": length, "batch_size": 1},
    }
    flow["3"]["inputs"]["steps"] = steps
    return flow


def constant(value: int) -> dict[str, Any]:
    return {"class_type": "PrimitiveInt", "inputs": {"value": value}}


@pytest.mark.parametrize("through", ["value", "constant"])
def test_the_frames_of_a_video_are_limited_also_through_a_constant(through: str) -> None:
    for length, allowed in ((L.frames, True), (L.frames + 1, False)):
        given = length if through == "value" else ["30", 0]
        found = faults(video(given) | {"30": constant(length)})
        expected = {} if allowed else {"/5/inputs/length": f"must be at most {L.frames}"}
        assert found == expected


def test_steps_pixels_and_images_are_limited_through_constants() -> None:
    flow = text_to_image() | {"30": constant(L.steps + 1), "31": constant(4096), "32": constant(L.images + 1)}
    flow["3"]["inputs"]["steps"] = ["30", 0]
    flow["5"]["inputs"] |= {"width": ["31", 0], "height": ["31", 0], "batch_size": ["32", 0]}
    assert {"/3/inputs/steps", "/5/inputs/width", "/5"} <= set(faults(flow))


def test_images_that_a_factor_makes_too_large_are_refused() -> None:
    flow = text_to_image()
    flow["5"]["inputs"] |= {"width": 2048, "height": 2048}
    scale = {"image": ["8", 0], "upscale_method": "bilinear", "scale_by": 4.0}
    flow["20"] = {"class_type": "ImageScaleBy", "inputs": scale}
    flow["9"]["inputs"]["images"] = ["20", 0]
    assert faults(flow) == {}
    scale["scale_by"] = 4.1
    assert "pixels" in faults(flow)["/20/inputs/scale_by"]


def test_a_sound_that_would_fill_the_memory_is_refused() -> None:
    def sound(seconds: float) -> dict[str, str]:
        inputs = {"duration": seconds, "sample_rate": 44_100, "channels": 2}
        save = {"audio": ["1", 0], "filename_prefix": "a"}
        return faults(
            {
                "1": {"class_type": "EmptyAudio", "inputs": inputs},
                "2": {"class_type": "SaveAudio", "inputs": save},
            }
        )

    assert sound(1000) == {}
    assert "/1/inputs/duration" in sound(1e12)


def test_the_work_of_a_video_counts_every_fourth_frame() -> None:
    limit = round(20 * SIDE**2 * 40 / 4)
    exact = replace(L, work=limit)
    assert work(video(40, steps=20)) == limit
    assert faults(video(40, steps=20), limits=exact) == {}
    assert "/3" in faults(video(41, steps=20), limits=exact)


def custom_sampling(*, steps: Any = 20, samplers: int = 1, **latent: int) -> dict[str, Any]:
    """Return a workflow as for Flux: one scheduler, whose sigmas each sampler takes."""
    flow = text_to_image()
    flow["5"]["inputs"] |= latent
    del flow["3"]
    schedule = {"model": ["4", 0], "scheduler": "simple", "steps": steps, "denoise": 1.0}
    flow |= {
        "g": {"class_type": "BasicGuider", "inputs": {"model": ["4", 0], "conditioning": ["6", 0]}},
        "n": {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}},
        "k": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "b": {"class_type": "BasicScheduler", "inputs": schedule},
    }
    links = {"noise": ["n", 0], "guider": ["g", 0], "sampler": ["k", 0], "sigmas": ["b", 0]}
    for number in range(samplers):
        before = f"s{number - 1}" if number else "5"
        inputs = links | {"latent_image": [before, 0]}
        flow[f"s{number}"] = {"class_type": "SamplerCustomAdvanced", "inputs": inputs}
    flow["8"]["inputs"]["samples"] = [f"s{samplers - 1}", 0]
    return flow


def test_a_schedulers_steps_count_at_each_sampler_that_takes_them_with_the_size_of_its_latent() -> None:
    flow = custom_sampling(samplers=3, width=1024, height=1024, batch_size=4)
    assert work(flow) == 3 * 20 * 1024**2 * 4
    assert faults(flow) == {}
    exact = replace(L, work=3 * 20 * 1024**2 * 4 - 1)
    assert faults(flow, limits=exact).keys() == {"/s2"}


def test_the_steps_of_a_scheduler_count_through_constants_and_nodes_that_change_sigmas() -> None:
    flow = custom_sampling(steps=["30", 0], samplers=2) | {"30": constant(20)}
    flow["split"] = {"class_type": "SplitSigmas", "inputs": {"sigmas": ["b", 0], "step": 5}}
    flow["flip"] = {"class_type": "FlipSigmas", "inputs": {"sigmas": ["split", 1]}}
    flow["s0"]["inputs"]["sigmas"], flow["s1"]["inputs"]["sigmas"] = ["split", 0], ["flip", 0]
    assert faults(flow) == {}
    assert work(flow) == 20 * SIDE**2
    flow["s0"]["inputs"]["sigmas"] = ["b", 0]
    assert work(flow) == (20 + 15) * SIDE**2


def test_steps_that_are_put_between_sigmas_count_and_are_limited_too() -> None:
    between = {"steps": 10, "start_at_sigma": -1, "end_at_sigma": 0, "spacing": "linear"}
    flow = custom_sampling(steps=L.steps // 10)
    flow["e"] = {"class_type": "ExtendIntermediateSigmas", "inputs": {"sigmas": ["b", 0]} | between}
    flow["s0"]["inputs"]["sigmas"] = ["e", 0]
    assert faults(flow) == {}
    assert work(flow) == L.steps * SIDE**2
    flow["b"]["inputs"]["steps"] += 1
    assert faults(flow) == {"/s0": f"the sigmas may have at most {L.steps} steps"}


@pytest.mark.parametrize("where", ["KSampler", "BasicScheduler"])
def test_a_tiny_denoise_does_not_make_comfyui_compute_sigmas_without_end(where: str) -> None:
    flow = text_to_image() if where == "KSampler" else custom_sampling()
    inputs = next(one["inputs"] for one in flow.values() if one["class_type"] == where)
    inputs["steps"] = L.steps
    for denoise, allowed in ((1.0, True), (0.01, True), (0.0, True), (0.0099, False), (1e-300, False)):
        inputs["denoise"] = denoise
        assert any(path.endswith("/inputs/denoise") for path in faults(flow)) == (not allowed)


def test_the_largest_workflow_of_custom_samplers_is_far_beyond_the_limit() -> None:
    flow = custom_sampling(steps=L.steps, samplers=290, width=2048, height=2048, batch_size=L.images)
    assert work(flow) == 290 * L.steps * 2048**2 * L.images
    assert faults(flow).keys() == {"/s0"}


def worst() -> dict[str, Any]:
    """Return a workflow that uses up each limit: as many samplers as nodes and work allow."""
    flow = text_to_image()
    flow["5"]["inputs"] |= {"width": SIDE, "height": SIDE, "batch_size": L.images}
    each = 100
    flow["3"]["inputs"]["steps"] = each
    samplers = int(L.work // (each * SIDE**2 * L.images))
    for number in range(1, samplers):
        before = "3" if number == 1 else f"s{number - 1}"
        inputs = flow["3"]["inputs"] | {"latent_image": [before, 0], "seed": number}
        flow[f"s{number}"] = {"class_type": "KSampler", "inputs": inputs}
    flow["8"]["inputs"]["samples"] = [f"s{samplers - 1}", 0]
    return flow


def test_the_worst_legal_task_is_within_the_limit_of_work_and_one_step_more_is_refused() -> None:
    flow = worst()
    assert faults(flow) == {}
    assert L.work - 100 * SIDE**2 * L.images < work(flow) <= L.work
    last = f"s{int(L.work // (100 * SIDE**2 * L.images)) - 1}"
    flow[last]["inputs"]["steps"] = L.steps
    assert any("of all nodes together" in text for text in faults(flow).values())


def test_the_largest_workflow_is_checked_in_a_moment_and_one_node_more_is_refused() -> None:
    def row(count: int) -> dict[str, Any]:
        flow = text_to_image()
        before = "8"
        for number in range(count - len(flow)):
            name = f"i{number}"
            flow[name] = {"class_type": "ImageInvert", "inputs": {"image": [before, 0]}}
            before = name
        flow["9"]["inputs"]["images"] = [before, 0]
        return flow

    assert checked(row(MOST_NODES)).faults == []
    assert faults(row(MOST_NODES + 1)) == {"": f"at most {MOST_NODES} nodes are allowed"}
    began = time.process_time()
    checked(row(MOST_NODES))
    assert time.process_time() - began < 1
