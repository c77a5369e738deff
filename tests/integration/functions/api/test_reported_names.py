"""A submit warns of names that the last report of the runtime's workers lacks."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runtimes.base import EngineNames
from tests.support.api_client import Answer, Client
from tests.support.deployment import Deployment

LISTS = {
    "samplers": ["Euler", "Euler a", "DPM++ 2M"],
    "sampler_aliases": ["k_euler", "k_dpmpp_2m"],
    "schedulers": ["Automatic", "Karras", "SGM Uniform"],
    "scheduler_aliases": ["automatic", "karras", "sgm_uniform", "SGMUniform"],
    "upscalers": ["None", "Lanczos", "Latent", "R-ESRGAN 4x+"],
    "scripts": ["controlnet", "adetailer", "x/y/z plot", "prompt matrix"],
    "styles": ["Watercolor", "Line art"],
    "embeddings": ["easynegative"],
}


@pytest.fixture
def reported(deployment: Deployment) -> Deployment:
    """Return a deployment whose worker has reported what its SD Web UI lists."""
    report(deployment)
    return deployment


def report(deployment: Deployment, **changes: list[str]) -> None:
    lists = LISTS | changes
    deployment.report_names(EngineNames({"ESRGAN": lists["upscalers"]}, lists))


def submit(deployment: Deployment, task_id: str = "test", **content: Any) -> Answer:
    answer = Client(deployment).submit(task_id, content={"prompt": "a cat"} | content)
    assert answer.status == 200, answer.body
    return answer


def warned(answer: Answer) -> dict[str, str]:
    """Return the warnings about names, by the place in the content."""
    return {
        warning["path"].removeprefix("/task/content"): warning["message"]
        for warning in answer.body["warnings"]
        if "the task fails unless" in warning["message"].lower()
    }


@pytest.mark.parametrize(
    ("content", "path", "meant"),
    [
        ({"sampler_name": "Eular a"}, "/sampler_name", "Euler a"),
        ({"sampler_index": "DPM+ 2M"}, "/sampler_index", "DPM++ 2M"),
        ({"sampler_name": "DPM++ 3M Karras"}, "/sampler_name", "DPM++ 2M"),
        ({"scheduler": "Karas"}, "/scheduler", "Karras"),
        ({"enable_hr": True, "hr_sampler_name": "Eulr"}, "/hr_sampler_name", "Euler"),
        ({"enable_hr": True, "hr_scheduler": "SGM Uniforn"}, "/hr_scheduler", "SGM Uniform"),
        ({"enable_hr": True, "hr_upscaler": "Latemt"}, "/hr_upscaler", "Latent"),
        ({"styles": ["Line art", "Watercolour"]}, "/styles/1", "Watercolor"),
        ({"script_name": "prompt matrx"}, "/script_name", "prompt matrix"),
        (
            {"alwayson_scripts": {"ControlNett": {"args": [{"enabled": True}]}}},
            "/alwayson_scripts/ControlNett",
            "controlnet",
        ),
        (
            {
                "alwayson_scripts": {
                    "ADetailer": {
                        "args": [
                            True,
                            {"ad_model": "face.pt", "ad_use_sampler": True, "ad_sampler": "Eular"},
                        ]
                    }
                }
            },
            "/alwayson_scripts/ADetailer/args/1/ad_sampler",
            "Euler",
        ),
    ],
)
def test_a_name_that_was_not_reported_gets_a_warning_with_the_nearest_one(
    reported: Deployment, content: dict[str, Any], path: str, meant: str
) -> None:
    found = warned(submit(reported, **content))

    assert list(found) == [path]
    assert repr(meant) in found[path]


@pytest.mark.parametrize(
    "content",
    [
        {"sampler_name": "euler A"},
        {"sampler_name": "k_dpmpp_2m"},
        {"sampler_name": "DPM++ 2M Karras"},
        {"sampler_index": "dpm++ 2m sgm uniform", "scheduler": "KARRAS"},
        {"scheduler": "SGMUniform"},
        {"enable_hr": True, "hr_upscaler": "latent", "hr_sampler_name": "Use same sampler"},
        {"enable_hr": False, "hr_upscaler": "nope", "hr_sampler_name": "nope"},
        {"styles": ["watercolor"]},
        {"script_name": "Prompt Matrix"},
        {"alwayson_scripts": {"ControlNet": {"args": []}, "No such": {"args": [False]}}},
    ],
)
def test_a_name_that_the_worker_understands_gets_no_warning(
    reported: Deployment, content: dict[str, Any]
) -> None:
    assert warned(submit(reported, **content)) == {}


def test_an_upscaler_of_an_extras_task_is_looked_up_in_the_bucket_too(reported: Deployment) -> None:
    def upscale(name: str, task_id: str) -> dict[str, str]:
        content = {"image": "https://example.org/cat.png", "upscaler_1": name}
        answer = Client(reported).submit(task_id, tasktype="extra-single-image", content=content)
        assert answer.status == 200, answer.body
        return warned(answer)

    assert list(upscale("8x_Ultra", "first")) == ["/upscaler_1"]
    bucket = reported.environment.model_bucket
    reported.s3.put_object(Bucket=bucket, Key="RealESRGAN/8x_Ultra.pth", Body=b"model")
    assert upscale("8x_Ultra", "second") == {}
    assert upscale("r-esrgan 4x+", "third") == {}
    assert "'8x_Ultra'" in upscale("8x_Ultr", "fourth")["/upscaler_1"]


def test_before_the_first_report_nothing_is_warned_of(deployment: Deployment) -> None:
    assert warned(submit(deployment, sampler_name="nope", styles=["nope"])) == {}


def test_a_list_that_the_engine_does_not_have_gives_no_warnings(deployment: Deployment) -> None:
    deployment.report_names(EngineNames({}, {"samplers": ["Euler"]}))
    answer = submit(deployment, sampler_name="nope", scheduler="nope", styles=["nope"], script_name="nope")

    assert list(warned(answer)) == ["/sampler_name"]


def test_a_repeated_submit_gets_the_warnings_again_and_no_refusal(reported: Deployment) -> None:
    reported.put_checkpoint("dream.safetensors")
    scripts = {"sd_model_checkpoint": "dream"}
    content: dict[str, Any] = {"prompt": "a cat", "styles": ["Pencil"], "alwayson_scripts": scripts}
    first = submit(reported, **content)
    assert list(warned(first)) == ["/styles/0"]
    bucket = reported.environment.model_bucket
    reported.s3.delete_object(Bucket=bucket, Key="Stable-diffusion/dream.safetensors")

    assert submit(reported, **content).body["warnings"] == first.body["warnings"]
    unreadable = Client(reported, s3=CountingS3(reported.s3, fails=True))
    assert unreadable.submit(content=content).status == 200


def test_a_report_that_has_all_names_is_read_once_a_minute(reported: Deployment) -> None:
    s3 = CountingS3(reported.s3)
    api = Client(reported, s3=s3)
    for number in range(3):
        answer = api.submit(f"t{number}", content={"prompt": "a cat", "sampler_name": "Euler"})
        assert (answer.status, answer.body["warnings"]) == (200, [])
    assert s3.reads == 1


def test_if_the_report_cannot_be_read_the_task_is_accepted_without_warnings(reported: Deployment) -> None:
    api = Client(reported, s3=CountingS3(reported.s3, fails=True))
    content = {"prompt": "x", "sampler_name": "nope", "alwayson_scripts": {"sd_model_checkpoint": "nope"}}
    answer = api.submit(content=content)

    assert (answer.status, warned(answer)) == (200, {})


def test_a_missing_report_that_looks_forbidden_counts_as_none(reported: Deployment) -> None:
    api = Client(reported, s3=CountingS3(reported.s3, fails=True, code="AccessDenied"))
    assert warned(api.submit(content={"prompt": "x", "sampler_name": "nope"})) == {}
    assert api("GET", "/v1alpha2/runtimes/sdruntime").body["engine"] is None


def test_a_v1alpha1_request_is_warned_by_its_own_pointers(reported: Deployment) -> None:
    scripts = {"task": "text-to-image", "id_task": "test", "sd_model_checkpoint": "x"}
    answer = Client(reported)("POST", "/v1alpha1", {"alwayson_scripts": scripts, "sampler_name": "Eular"})

    assert (answer.status, list(warned(answer))) == (200, ["/sampler_name"])


def test_many_unknown_names_are_answered_quickly_and_counted(reported: Deployment) -> None:
    answer = submit(reported, styles=[f"no such style {number}" for number in range(3000)])

    assert len(answer.body["warnings"]) <= 101
    assert answer.body["warnings"][-1]["message"].endswith(" more")


class CountingS3:
    """Counts reads of objects, or fails as S3 does."""

    def __init__(self, real: Any, *, fails: bool = False, code: str = "SlowDown") -> None:
        self._real = real
        self._fails = fails
        self._code = code
        self.reads = 0

    def get_object(self, **call: Any) -> Any:
        """Count the read."""
        self.reads += 1
        if self._fails:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "GetObject")
        return self._real.get_object(**call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
