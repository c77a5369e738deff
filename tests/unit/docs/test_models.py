"""`docs/models.md` names every folder of the model bucket that the engines read."""

import re
from pathlib import Path

from runtimes.base import all_folders
from runtimes.comfyui.needs import ALIASES
from runtimes.comfyui.runtime_type import ComfyUi
from runtimes.sdwebui.model_names import START_FOLDERS
from runtimes.sdwebui.runtime_type import SdWebUi

DOCUMENT = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.split("| models | SD Web UI | ComfyUI |\n", 1)[1].split("\n\n", 1)[0]
ROWS = [row.split("|")[2:4] for row in TABLE.splitlines()]


def names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_the_table_has_the_folders_of_both_engines() -> None:
    of_sdwebui = {name for cell, _ in ROWS for name in names(cell)}
    of_comfyui = {name for _, cell in ROWS for name in names(cell)}

    assert of_sdwebui == {*SdWebUi().model_folders, *START_FOLDERS}
    assert of_comfyui == {*all_folders(ComfyUi())}


def test_folders_that_mean_the_same_are_in_one_row() -> None:
    rows = {names(cell)[0]: names(cell)[1:] for _, cell in ROWS if names(cell)}

    assert {name: others for name, others in rows.items() if name in ALIASES} == ALIASES
