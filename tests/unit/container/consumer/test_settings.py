"""The consumer's settings."""

from dataclasses import asdict, fields

import pytest

from container.consumer.model_store.settings import BadSettings
from container.consumer.settings import Settings, read_settings
from domain.limits import DEFAULT_LIMITS, Limits
from domain.worker_environment import WorkerEnvironment

REQUIRED = {
    "RUNTIME_NAME": "r",
    "TASK_QUEUE_URL": "http://q",
    "RESULT_TOPIC_ARN": "arn:aws:sns:::t",
    "TASK_TABLE": "tasks",
    "OUTPUT_BUCKET": "b",
}


def read(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Settings:
    """Read settings from an environment."""
    for name, value in (REQUIRED | environ).items():
        monkeypatch.setenv(name, value)
    return read_settings()


@pytest.mark.parametrize(
    ("text", "limits"),
    [("", DEFAULT_LIMITS), ('{"links": 3}', Limits(links=3)), (Limits(images=7).to_json(), Limits(images=7))],
)
def test_limits_are_read_from_the_environment_with_defaults(
    monkeypatch: pytest.MonkeyPatch, text: str, limits: Limits
) -> None:
    assert read(monkeypatch, LIMITS=text).limits == limits


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("", None),
        ("null", None),
        ("[]", frozenset()),
        ('["ControlNet", "a, b"]', frozenset({"controlnet", "a, b"})),
    ],
)
def test_the_list_of_scripts_is_json(
    monkeypatch: pytest.MonkeyPatch, text: str, scripts: frozenset[str] | None
) -> None:
    """JSON, because a script's name may contain a comma, and because an empty list differs from no list."""
    assert read(monkeypatch, ALLOWED_SCRIPTS=text).allowed_scripts == scripts


@pytest.mark.parametrize("text", ["{", "[1]", "links", '{"links": "x"}', '{"no": 1}'])
@pytest.mark.parametrize("name", ["LIMITS", "ALLOWED_SCRIPTS"])
def test_an_invalid_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    with pytest.raises(BadSettings, match=name) as bad:
        read(monkeypatch, **{name: text})
    assert "\n" not in str(bad.value)


ALL_SET = WorkerEnvironment(
    sync_folders=("Lora", "VAE/more"),
    runtime_name="other",
    runtime_type="sdwebui",
    task_queue_url="https://queue",
    result_topic_arn="arn:results",
    output_bucket="outputs",
    task_table="rows",
    task_bucket="large",
    input_buckets=("uploads", "more"),
    input_credentials={"photos.example": "photos"},
    model_bucket="models",
    model_dir="/models",
    model_filename="m.safetensors",
    refiner_filename="refiner.safetensors",
    model_cache_bytes=5,
    checkpoints_in_memory=2,
    dynamic_model=True,
    engine_url="http://127.0.0.1:1",
    runtime_options={"speed": 3},
    prefetch=0,
    inference_timeout_seconds=30.5,
    visibility_seconds=60,
    retry_delay_seconds=3,
    allow_private_inputs=True,
    notify_running=True,
    metrics_namespace="n/s",
    tracing=True,
    limits=Limits(links=3),
    allowed_scripts=("a, b", "c"),
    allowed_settings={"my_mode": "string"},
    engine_settings={"my_mode": "soft, or hard"},
    engine_folders={"my_dir": "/models/mine"},
    engine_settings_file="/settings.json",
    heartbeat_file="/beat",
    log_level="DEBUG",
)


def test_every_variable_of_the_worker_environment_is_a_setting_of_the_consumer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = _read_all(monkeypatch, ALL_SET)
    expected = asdict(ALL_SET) | {"limits": ALL_SET.limits}
    assert None not in expected.values()
    expected |= {"sync_folders": "Lora,VAE/more", "input_buckets": "uploads,more"}
    expected["allowed_scripts"] = frozenset(ALL_SET.allowed_scripts or ())
    assert {name: getattr(read, name) for name in expected} == expected


def test_a_variable_that_is_not_set_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    required_values = {
        field.name: getattr(ALL_SET, field.name) for field in fields(ALL_SET) if field.name in required
    }
    environment = WorkerEnvironment(**required_values)
    assert environment.to_environ().keys() == {name.upper() for name in required}
    defaults = Settings.model_fields
    read = _read_all(monkeypatch, environment)
    assert all(getattr(read, name) == defaults[name].default for name in defaults.keys() - required)


def _read_all(monkeypatch: pytest.MonkeyPatch, environment: WorkerEnvironment) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.to_environ().items():
        monkeypatch.setenv(name, value)
    return read_settings()
