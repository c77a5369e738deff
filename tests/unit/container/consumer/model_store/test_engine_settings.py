"""Settings of the engine are added to the file that it reads when it starts."""

import json
from pathlib import Path

import pytest

from container.consumer import sync_models
from container.consumer.model_store.engine_settings import CannotWriteSettings, add_settings, filled_folders
from container.consumer.model_store.settings import ModelSettings


def test_settings_are_added_and_the_others_kept(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"samples_save": false, "eta_ddim": 0.0}')

    add_settings(str(file), {"eta_ddim": 0.5, "my_mode": "söft"})

    assert json.loads(file.read_bytes()) == {"samples_save": False, "eta_ddim": 0.5, "my_mode": "söft"}


def test_without_a_file_or_settings_nothing_is_written(tmp_path: Path) -> None:
    add_settings("", {"a": 1})
    add_settings(str(tmp_path / "missing.json"), {})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[]", "{", None])
def test_a_file_without_settings_is_an_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "settings.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(CannotWriteSettings, match="ENGINE_SETTINGS_FILE"):
        add_settings(str(file), {"a": 1})


def test_a_setting_of_a_folder_is_added_only_if_the_folder_has_files(tmp_path: Path) -> None:
    (tmp_path / "wildcards" / "sub").mkdir(parents=True)
    folders = {"wildcard_dir": "/opt/models/wildcards", "other_dir": "/opt/models/other"}
    assert filled_folders(folders, str(tmp_path)) == {}

    (tmp_path / "wildcards" / "sub" / "colour.txt").write_text("red")
    assert filled_folders(folders, str(tmp_path)) == {"wildcard_dir": "/opt/models/wildcards"}
    assert filled_folders(folders, "") == {}


def test_settings_are_added_without_a_model_bucket_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    monkeypatch.setenv("ENGINE_SETTINGS_FILE", str(file))
    monkeypatch.setenv("ENGINE_SETTINGS", '{"my_mode": "soft"}')
    monkeypatch.delenv("MODEL_BUCKET", raising=False)

    assert sync_models.run(ModelSettings.read()) == 0
    assert json.loads(file.read_bytes()) == {"my_mode": "soft"}

    file.unlink()
    assert sync_models.run(ModelSettings.read()) == 1
    assert "ENGINE_SETTINGS_FILE" in capsys.readouterr().err
