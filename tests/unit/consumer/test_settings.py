"""The consumer's settings, and how they bound what a message may ask for."""

import pytest

from container.consumer.settings import BadSettings, Settings, read_settings
from domain.limits import DEFAULT_LIMITS, Limits

NEEDED = {
    "RUNTIME_NAME": "r",
    "TASK_QUEUE_URL": "http://q",
    "RESULT_TOPIC_ARN": "arn:aws:sns:::t",
    "TASK_TABLE": "tasks",
    "OUTPUT_BUCKET": "b",
}


def read(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Settings:
    """Read settings from an environment."""
    for name, value in (NEEDED | environ).items():
        monkeypatch.setenv(name, value)
    return read_settings()


@pytest.mark.parametrize(
    ("text", "limits"),
    [("", DEFAULT_LIMITS), ('{"links": 3}', Limits(links=3)), (Limits(images=7).to_json(), Limits(images=7))],
)
def test_limits_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, limits: Limits
) -> None:
    """As the deployment writes them; what is not said keeps its default."""
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
def test_scripts_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, scripts: frozenset[str] | None
) -> None:
    """A name may hold a comma, so they are JSON; none at all is not the same as an empty list."""
    assert read(monkeypatch, ALLOWED_SCRIPTS=text).allowed_scripts == scripts


@pytest.mark.parametrize("text", ["{", "[1]", "links", '{"links": "x"}', '{"no": 1}'])
@pytest.mark.parametrize("name", ["LIMITS", "ALLOWED_SCRIPTS"])
def test_a_bad_one_ends_it_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """As every other setting."""
    with pytest.raises(BadSettings, match=name) as bad:
        read(monkeypatch, **{name: text})
    assert "\n" not in str(bad.value)
