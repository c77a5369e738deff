"""`GET /v1alpha2/runtimes/{name}`: a runtime's models in the bucket, and what its engine last listed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.runtime_report import MAX_BYTES
from domain.keys import report_key
from domain.routing import Runtime
from functions.api.catalogue import list_models, read_query
from functions.api.model_bucket import ModelBucket
from runtimes.base import EngineNames
from runtimes.registry import RUNTIME_TYPES
from tests.support.api_client import Answer, Client
from tests.support.deployment import DYNAMIC, STATIC, Deployment

FILES = (
    "Stable-diffusion/anime/two.safetensors",
    "Stable-diffusion/one.safetensors",
    "Stable-diffusion/one.vae.pt",
    "Stable-diffusion/one.yaml",
    "Stable-diffusion/static.safetensors",
    "Lora/style/soft light.safetensors",
    "VAE/clear.pt",
    "ESRGAN/4x.pth",
    "RealESRGAN/8x.pth",
    "notes/secret.safetensors",
)


def put(deployment: Deployment, *keys: str) -> None:
    for key in keys:
        deployment.s3.put_object(Bucket=deployment.environment.model_bucket, Key=key, Body=b"model")


@pytest.fixture
def stocked(deployment: Deployment) -> Deployment:
    """Return a deployment with models of several kinds, and with files that are none."""
    put(deployment, *FILES)
    return deployment


def read(deployment: Deployment, runtime: str = DYNAMIC, **query: str) -> Answer:
    return Client(deployment)("GET", f"/v1alpha2/runtimes/{runtime}", query=query or None)


def named(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 200, answer.body
    return [(model["kind"], model["name"]) for model in answer.body["models"]]


def pages(deployment: Deployment, **query: str) -> Iterator[Answer]:
    while True:
        answer = read(deployment, **query)
        yield answer
        if answer.body["cursor"] is None:
            return
        query["cursor"] = answer.body["cursor"]


def test_the_models_of_the_bucket_are_listed_without_any_worker(stocked: Deployment) -> None:
    answer = read(stocked)

    assert named(answer) == [
        ("checkpoint", "anime/two.safetensors"),
        ("checkpoint", "one.safetensors"),
        ("vae", "one.vae.pt"),
        ("checkpoint", "static.safetensors"),
        ("lora", "style/soft light"),
        ("vae", "clear.pt"),
        ("upscaler", "4x"),
        ("upscaler", "8x"),
    ]
    model = answer.body["models"][0]
    assert model["bytes"] == len(b"model")
    assert model["modified_at"].endswith("Z")
    assert (answer.body["name"], answer.body["queued"], answer.body["engine"]) == (DYNAMIC, 0, None)


def test_every_listed_checkpoint_can_be_used(stocked: Deployment) -> None:
    api = Client(stocked)
    for number, (_, name) in enumerate(named(read(stocked, kind="checkpoint"))):
        content = {"alwayson_scripts": {"sd_model_checkpoint": name}}
        assert api.submit(f"t{number}", content=content).status == 200


def test_models_are_filtered_by_kind_and_by_a_part_of_their_name(stocked: Deployment) -> None:
    assert named(read(stocked, kind="vae")) == [("vae", "clear.pt"), ("vae", "one.vae.pt")]
    assert named(read(stocked, q="SOFT")) == [("lora", "style/soft light")]
    assert named(read(stocked, kind="checkpoint", q="anime/")) == [("checkpoint", "anime/two.safetensors")]
    assert named(read(stocked, q="no such")) == []


def test_a_static_runtime_has_only_its_own_checkpoint(stocked: Deployment) -> None:
    assert named(read(stocked, STATIC, kind="checkpoint")) == [("checkpoint", "static.safetensors")]


@pytest.mark.parametrize("limit", range(1, 10))
def test_pages_of_any_size_have_every_model_once(stocked: Deployment, limit: int) -> None:
    found = list(pages(stocked, limit=str(limit)))

    assert [model for page in found for model in named(page)] == named(read(stocked))
    assert all(len(page.body["models"]) == limit for page in found[:-1])


def test_a_page_for_which_many_files_are_skipped_ends_early_with_a_cursor(
    stocked: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = named(read(stocked))
    monkeypatch.setattr("functions.api.catalogue.MAX_REQUESTS", 2)
    found = list(pages(stocked))

    assert len(found) > 1
    assert [model for page in found for model in named(page)] == whole


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"kind": "model"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"q": ""}, "q"),
        ({"q": "x" * 300}, "q"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "%"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "bm90ZXMvYQ"}, "cursor"),  # notes/a
        ({"kinds": "vae"}, "kinds"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(
    shared_api: Client, query: dict[str, str], parameter: str
) -> None:
    answer = shared_api("GET", f"/v1alpha2/runtimes/{DYNAMIC}", query=query)

    assert (answer.status, answer.code, answer.faults) == (400, "invalid_task", [parameter])


def test_all_wrong_parameters_are_reported_at_once(shared_api: Client) -> None:
    query = {"kind": "x", "q": "", "limit": "x", "cursor": "x", "more": "x"}
    answer = shared_api("GET", f"/v1alpha2/runtimes/{DYNAMIC}", query=query)

    assert set(answer.faults) == {"kind", "q", "limit", "more"}, "a cursor belongs to a kind"


def test_a_runtime_that_does_not_exist_is_not_found(shared_api: Client) -> None:
    answer = shared_api("GET", "/v1alpha2/runtimes/nope")

    assert (answer.status, answer.code) == (404, "not_found")
    assert DYNAMIC in answer.body["error"]["message"]


def test_other_methods_are_not_allowed(shared_api: Client) -> None:
    answer = shared_api("POST", f"/v1alpha2/runtimes/{DYNAMIC}", {})

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_what_the_last_worker_listed_is_shown(stocked: Deployment) -> None:
    lists = {"samplers": ["Euler", "Euler a"], "styles": [], "sampler_aliases": ["k_euler"]}
    stocked.report_names(EngineNames({"Stable-diffusion": ["one"]}, lists))
    engine = read(stocked).body["engine"]

    assert engine.pop("reported_at").endswith("Z")
    assert engine == {"samplers": ["Euler", "Euler a"], "styles": []}, "aliases are for lookups only"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff",
        b'{"reported_at": 1}',
        b"[" * 100_000,
        b'{"reported_at": "x", "names": {"samplers": "' + b"x" * MAX_BYTES + b'"}}',
    ],
)
def test_a_report_that_no_worker_of_this_version_wrote_counts_as_none(
    stocked: Deployment, body: bytes
) -> None:
    bucket = stocked.environment.task_bucket
    stocked.s3.put_object(Bucket=bucket, Key=report_key(DYNAMIC), Body=body)
    answer = read(stocked)

    assert (answer.status, answer.body["engine"]) == (200, None)
    assert Client(stocked).submit().status == 200


def test_lists_of_another_form_are_left_out_of_a_report(stocked: Deployment) -> None:
    body = (
        b'{"reported_at": "2026-11-26T00:00:00.000Z", "models": [], '
        b'"names": {"samplers": [1], "styles": ["a"]}}'
    )
    stocked.s3.put_object(Bucket=stocked.environment.task_bucket, Key=report_key(DYNAMIC), Body=body)

    assert read(stocked).body["engine"] == {"reported_at": "2026-11-26T00:00:00.000Z", "styles": ["a"]}


def test_without_access_to_the_bucket_the_models_are_null_and_the_rest_is_shown(stocked: Deployment) -> None:
    stocked.report_names(EngineNames({}, {"samplers": ["Euler"]}))
    missing = replace(stocked.environment, model_bucket="bucket-of-another-account")
    answer = read(replace(stocked, environment=missing))

    assert answer.status == 200, answer.body
    assert (answer.body["models"], answer.body["cursor"]) == (None, None)
    assert (answer.body["name"], answer.body["queued"]) == (DYNAMIC, 0)
    assert answer.body["engine"]["samplers"] == ["Euler"]
    schema = Client(stocked)("GET", "/openapi.json").body["components"]["schemas"]["RuntimeDetails"]
    assert schema["properties"]["models"]["type"] == ["array", "null"]


def test_comfyuis_models_are_listed_by_its_folders_from_both_layouts_of_the_bucket(
    deployment: Deployment,
) -> None:
    put(deployment, *FILES, "loras/a.safetensors", "unet/b.gguf", "checkpoints/c.safetensors", "clip/d.txt")
    runtime = Runtime("comfy", "comfyui", dynamic_model=True)
    found = named_models(deployment, runtime)

    assert set(found) == {
        ("checkpoints", "c.safetensors"),
        ("checkpoints", "one.safetensors"),
        ("checkpoints", "one.vae.pt"),
        ("checkpoints", "static.safetensors"),
        ("checkpoints", "anime/two.safetensors"),
        ("diffusion_models", "b.gguf"),
        ("loras", "a.safetensors"),
        ("loras", "style/soft light.safetensors"),
        ("vae", "clear.pt"),
        ("upscale_models", "4x.pth"),
        ("upscale_models", "8x.pth"),
    }
    own = Runtime("comfy", "comfyui", model_filename="c.safetensors")
    assert [name for kind, name in named_models(deployment, own) if kind == "checkpoints"] == [
        "c.safetensors"
    ]


def named_models(deployment: Deployment, runtime: Runtime) -> list[tuple[str, str]]:
    """Return the models of a runtime that the deployment does not have."""
    bucket = ModelBucket(deployment.s3, deployment.environment.model_bucket)
    runtime_type = RUNTIME_TYPES[runtime.type]
    page = list_models(bucket, read_query({}, runtime_type), runtime_type, runtime)
    assert page.models is not None
    return [(model["kind"], model["name"]) for model in page.models]
