"""Callers of AWS's Guidance have to change only the address and the key."""

import copy
import io
from typing import Any

import pytest

from tests.support.api_client import Client, task
from tests.support.deployment import DYNAMIC, Deployment
from tests.support.guidance import OLD_IMAGE_TO_IMAGE, PICTURE, REQUESTS, Json

ACCEPTED_REQUESTS = sorted(set(REQUESTS) - {"v1alpha2/pipeline"})


def _request(name: str) -> tuple[str, Json]:
    return name.partition("/")[0], copy.deepcopy(REQUESTS[name])


@pytest.mark.parametrize("name", ACCEPTED_REQUESTS)
def test_a_request_of_the_guidance_is_accepted(api: Client, name: str) -> None:
    version, body = _request(name)
    answer = api("POST", f"/{version}", body)
    assert answer.status == 200, answer.body
    warned_paths = [warning["path"] for warning in answer.body["warnings"]]
    assert warned_paths == (["/task/content/show_extras_results"] if "extra" in name else [])


def test_the_error_for_a_comfyui_workflow_lists_the_task_types(api: Client) -> None:
    version, body = _request("v1alpha2/pipeline")
    answer = api("POST", f"/{version}", body)
    assert (answer.status, answer.faults[:1]) == (400, ["/task/metadata/tasktype"])
    assert "text-to-image" in answer.body["error"]["details"][0]["message"]


def test_the_image_link_of_the_first_v1alpha2_is_the_image_to_start_from(
    api: Client, deployment: Deployment
) -> None:
    answer = api("POST", "/v1alpha2", copy.deepcopy(OLD_IMAGE_TO_IMAGE))
    assert answer.status == 200, answer.body
    assert [warning["path"] for warning in answer.body["warnings"]] == [
        "/task/content/alwayson_scripts/image_link"
    ]
    [message] = deployment.messages(DYNAMIC)
    assert message["content"]["init_images"] == [PICTURE]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("//v1alpha2/", 200),  # the output FrontApiEndpoint, a slash, and `v1alpha2/`
        ("//v1alpha2", 200),
        ("/v1alpha2/", 200),
        ("/v1alpha2///", 200),
        ("///v1alpha2//tasks/", 405),
        ("//v1alpha3/", 404),
    ],
)
def test_additional_slashes_in_a_path_are_ignored(api: Client, path: str, status: int) -> None:
    assert api("POST", path, task("slashes")).status == status


def test_links_to_a_task_have_single_slashes(api: Client) -> None:
    links = api("POST", "//v1alpha2/", task("slashes")).body["links"]
    assert links["status"]["href"] == (
        "https://abc.execute-api.us-east-1.amazonaws.com/prod/v1alpha2/tasks/slashes"
    )
    assert api("GET", "//v1alpha2//tasks//slashes/").body["links"] == links


@pytest.mark.parametrize(
    ("prefix", "expected_prefix"),
    [
        ("/output", "output"),
        ("//output/", "output"),
        ("caf\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ],
)
def test_a_prefix_is_normalized_with_a_warning(api: Client, prefix: str, expected_prefix: str) -> None:
    answer = api.submit("prefix", prefix=prefix)
    assert answer.status == 200, answer.body
    assert answer.body["output_location"].endswith(f"/{expected_prefix}/prefix")
    assert {warning["path"] for warning in answer.body["warnings"]} == {"/task/metadata/prefix"}


@pytest.mark.parametrize("prefix", ["/", "//", "/../up", "/a//b"])
def test_a_prefix_that_begins_with_a_slash_is_checked_by_the_same_rules(api: Client, prefix: str) -> None:
    assert api.submit("prefix", prefix=prefix).faults == ["/task/metadata/prefix"]


def test_unknown_fields_are_ignored_with_a_warning_for_each(api: Client, deployment: Deployment) -> None:
    body: dict[str, Any] = task("fields", priority=3, contxt="x")
    body["task"]["owner"] = {"team": "a"}
    body["trace"] = "abc"
    answer = api("POST", "/v1alpha2", body)
    assert answer.status == 200, answer.body
    warned_paths = {warning["path"]: warning["message"] for warning in answer.body["warnings"]}
    assert warned_paths.keys() == {
        "/trace",
        "/task/owner",
        "/task/metadata/priority",
        "/task/metadata/contxt",
    }
    assert "did you mean context?" in warned_paths["/task/metadata/contxt"]
    [message] = deployment.messages(DYNAMIC)
    assert message["metadata"].keys().isdisjoint({"priority", "contxt"})


def test_very_many_unknown_fields_are_only_counted(api: Client) -> None:
    body = task("fields")
    body["task"]["metadata"] |= dict.fromkeys([f"field{number}" for number in range(20_000)], 1)
    answer = api("POST", "/v1alpha2", body)
    assert answer.status == 200
    assert len(answer.body["warnings"]) == 101
    assert answer.body["warnings"][-1]["message"] == "and 19900 more"


def test_what_v1alpha1_does_with_image_link_gets_a_warning(api: Client) -> None:
    request = copy.deepcopy(REQUESTS["v1alpha1/i2i"]) | {"init_images": ["https://example.org/dog.png"]}
    answer = api("POST", "/v1alpha1", request)
    assert {warning["path"] for warning in answer.body["warnings"]} == {"/init_images"}
    text_request = copy.deepcopy(REQUESTS["v1alpha1/t2i"])
    text_request["alwayson_scripts"]["image_link"] = PICTURE
    answer = api("POST", "/v1alpha1", text_request)
    assert {warning["path"] for warning in answer.body["warnings"]} == {"/alwayson_scripts/image_link"}


@pytest.mark.parametrize("name", ["v1alpha1/i2i", "v1alpha2/i2i"])
def test_a_password_in_a_link_is_in_no_response_log_or_row(
    api: Client, deployment: Deployment, log: io.StringIO, name: str
) -> None:
    version, body = _request(name)
    link = "https://user:hunter2@assets.example.org/cat.png"
    if version == "v1alpha1":
        body["alwayson_scripts"]["image_link"] = link
    else:
        body["task"]["content"]["init_images"] = [link]
    answer = api("POST", f"/{version}", body)
    path = {"v1alpha1": "/alwayson_scripts/image_link", "v1alpha2": "/task/content/init_images/0"}[version]
    assert (answer.status, answer.faults) == (400, [path])
    assert "inputs.credentials" in answer.body["error"]["details"][0]["message"]
    assert "hunter2" not in str(answer.body) + log.getvalue()
    assert deployment.dynamodb.scan(TableName=deployment.environment.task_table)["Count"] == 0
