"""The JSON Schema of `config.yaml` is that of the settings."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.synthesis import TWO_RUNTIMES
from tools.config_schema import PATH, ROOT, config_schema


def test_the_schema_in_the_repository_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == config_schema(), "run python -m tools.config_schema"


@pytest.mark.parametrize("path", [ROOT / "config.yaml", TWO_RUNTIMES], ids=lambda path: path.name)
def test_our_settings_are_valid(path: Path) -> None:
    Draft202012Validator(yaml.safe_load(config_schema())).validate(yaml.safe_load(path.read_text()))


def test_an_editor_shows_what_the_documents_say_and_finds_a_wrong_key() -> None:
    schema = yaml.safe_load(config_schema())
    assert schema["properties"]["stackName"]["description"].startswith("the name of the core stack")
    wrong = {"modelsRuntime": [{"name": "a", "modelFilename": "m", "scaling": {"maxReplicas": 3}}]}
    assert list(Draft202012Validator(schema).iter_errors(wrong))
