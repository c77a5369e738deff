"""The catalogue of a runtime in a running deployment."""

from local.pipeline import Pipeline
from tests.support import bodies


def test_a_runtime_shows_what_its_worker_reported_and_a_submit_warns_by_it(
    pipeline: Pipeline, task_id: str
) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image()))
    pipeline.wait_for_callback(task_id)
    bucket = pipeline.deployment.outputs["ModelBucket"]
    pipeline.aws.client("s3").put_object(Bucket=bucket, Key=f"Lora/{task_id}.safetensors", Body=b"model")
    answer = pipeline.call("GET", f"/v1alpha2/runtimes/{bodies.RUNTIME}?limit=1000")

    assert answer.status_code == 200, answer.text
    runtime = answer.json()
    assert "Euler a" in runtime["engine"]["samplers"]
    assert ("lora", task_id, 5) in [(one["kind"], one["name"], one["bytes"]) for one in runtime["models"]]

    content = bodies.text_to_image(sampler_name="Eular a")
    answer = pipeline.submit(bodies.v1alpha2(f"{task_id}-typo", "text-to-image", content))
    assert answer.status_code == 200, answer.text
    [warning] = [one for one in answer.json()["warnings"] if one["path"].endswith("/sampler_name")]
    assert "did you mean 'Euler a'?" in warning["message"]
    assert pipeline.wait_for_callback(f"{task_id}-typo")["status"] == "failed"
