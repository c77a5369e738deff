"""Each command of `sd-on-ecs`, in a process of its own, against the pipeline."""

import json
from pathlib import Path

from PIL import Image

from tests.support.client_command import Command

SMALL = ("--runtime", "sdruntime", "--steps", "2", "--width", "64", "--height", "64")


def test_txt2img_writes_the_paths_of_the_images_that_it_has_downloaded(
    command: Command, task_id: str, tmp_path: Path
) -> None:
    done = command("txt2img", "a cat", *SMALL, "--id", task_id, "-n", "2", "-o", "cats")
    paths = done.stdout.splitlines()
    assert [path.rsplit("-", 1)[1] for path in paths] == ["1.png", "2.png"]
    for path in paths:
        with Image.open(tmp_path / path) as image:
            assert image.size == (64, 64)
    task = json.loads(command("status", task_id, "--json").stdout)
    assert (task["status"], task["progress"]) == ("completed", 1)
