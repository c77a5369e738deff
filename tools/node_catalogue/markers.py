"""Files with known names in a server's folders, by which its lists tell which inputs name models or files."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MODEL: Final = "zz-sd-on-ecs-{}.safetensors"
_INPUTS: Final = {
    "zz-sd-on-ecs.png": "file:image",
    "zz-sd-on-ecs.mp4": "file:video",
    "zz-sd-on-ecs.flac": "file:audio",
    "zz-sd-on-ecs.latent": "file:file",
}


@contextmanager
def markers(base: Path, folders: Collection[str]) -> Iterator[Mapping[str, str]]:
    """Put the files into the folders below a server's base directory; yield the kinds of input they mean.

    `folders` are those of models by the server's own names; others, such as `clip`, are older names of these.
    """
    meaning: dict[str, str] = {}
    made: list[Path] = []
    try:
        for folder in sorted(base / "models" / name for name in folders):
            if not folder.is_dir():
                continue
            path = folder / _MODEL.format(folder.name)
            path.touch(exist_ok=False)
            made.append(path)
            meaning[path.name] = f"model:{folder.name}"
        for name, kind in _INPUTS.items():
            path = base / "input" / name
            path.touch(exist_ok=False)
            made.append(path)
            meaning[name] = kind
        yield meaning
    finally:
        for path in made:
            path.unlink(missing_ok=True)
