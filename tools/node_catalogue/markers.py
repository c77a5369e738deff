"""Files with known names in a server's folders, by which its lists tell which inputs name models or files."""

from collections.abc import Iterator, Mapping
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
def markers(base: Path) -> Iterator[Mapping[str, str]]:
    """Put the files into the folders below a server's base directory; yield the kinds of input they mean."""
    meaning: dict[str, str] = {}
    made: list[Path] = []
    try:
        for folder in sorted(path for path in (base / "models").iterdir() if path.is_dir()):
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
