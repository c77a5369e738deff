"""The values of sweeps, and the sheets of their images."""

from pathlib import Path

import pytest
from PIL import Image

from sd_on_ecs.contact_sheet import MARGIN, SIDE, Cell, draw_sheet
from sd_on_ecs.errors import InputError
from sd_on_ecs.sweeps import Axis, columns, combinations, label, parse_axis, task_ids


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=1..4", ["1", "2", "3", "4"]),
        ("seed=-1..1", ["-1", "0", "1"]),
        ("seed=10..30..10", ["10", "20", "30"]),
        ("denoising_strength=0.2..0.4..0.1", ["0.2", "0.3", "0.4"]),
        ("cfg_scale=5,7.5, 9", ["5", "7.5", "9"]),
        ("sampler_name=Euler", ["Euler"]),
        ("prompt=a..b", ["a..b"]),
        ('prompt=["a, b", "c"]', ["a, b", "c"]),
        ("styles=[[1], []]", ["[1]", "[]"]),
    ],
)
def test_values_are_ranges_lists_or_json(text: str, values: list[str]) -> None:
    assert list(parse_axis(text).values) == values


@pytest.mark.parametrize(
    "text", ["seed", "seed=", "=1..2", "seed=2..1", "seed=1..2..0", "x=[1", "s=1..10000"]
)
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_axis(text)


def test_every_combination_is_a_task_and_the_last_field_changes_fastest() -> None:
    axes = [Axis("seed", ["1", "2"]), Axis("cfg_scale", ["5", "7"])]
    assert [tuple(one.values()) for one in combinations(axes)] == [
        ("1", "5"),
        ("1", "7"),
        ("2", "5"),
        ("2", "7"),
    ]
    assert columns(axes, 4) == 2
    assert columns(axes[:1], 5) == 3
    assert label({"seed": "1", "cfg_scale": "5"}) == "seed=1  cfg_scale=5"


def test_a_field_that_varies_twice_and_too_many_tasks_are_refused() -> None:
    axis = Axis("seed", [str(number) for number in range(40)])
    with pytest.raises(InputError, match="a field varies twice: seed, seed"):
        combinations([axis, axis])
    with pytest.raises(InputError, match="the sweep has 1,600 tasks"):
        combinations([axis, Axis("steps", axis.values)])


def test_ids_sort_in_the_order_of_the_tasks() -> None:
    ids = task_ids("b", 11)
    assert (ids[0], ids[10]) == ("b-01", "b-11")
    assert sorted(ids) == ids


def test_a_sheet_has_each_image_and_says_which_is_missing(tmp_path: Path) -> None:
    Image.new("RGB", (32, 64), "red").save(tmp_path / "red.png")
    (tmp_path / "video.mp4").write_bytes(b"no picture")
    cells = [
        Cell("seed=1", tmp_path / "red.png"),
        Cell("seed=2", None, "out of memory"),
        Cell(
            "a label that is so long that it needs three lines and then some more " * 3,
            tmp_path / "video.mp4",
        ),
    ]
    draw_sheet(cells, 2, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 2 * (SIDE + MARGIN) + MARGIN
        assert sheet.getpixel((MARGIN + SIDE // 2, MARGIN + SIDE // 2)) == (255, 0, 0)
