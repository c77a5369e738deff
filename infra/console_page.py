"""The asset of the console's Lambda: its handler, and the page built from `console/` by Vite."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from aws_cdk import aws_lambda as lambda_

from infra.assets import ROOT, code_built_by

SOURCE: Final = ROOT / "console"
PAGE: Final = "index.html"
_HANDLER: Final = Path("functions") / "console"
_PACKAGES: Final = (Path("functions"), _HANDLER)
_MODULES: Final = ROOT / "node_modules"
_VITE: Final = _MODULES / "vite" / "bin" / "vite.js"

# Built pages by a hash of their sources; all syntheses of this checkout share them.
_CACHE: Final = _MODULES / ".cache" / "console"


def console_code() -> lambda_.Code:
    """Return the code asset, which needs no dependencies."""
    return code_built_by(build, source_hash())


def source_hash() -> str:
    """Hash everything that determines the asset."""
    digest = hashlib.sha256(_page_key().encode())
    for path in sorted(_python_files()):
        digest.update(f"{path}\0".encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()


def build(output: Path) -> None:
    """Write the handler and the page into an existing, empty folder."""
    for path in _python_files():
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, output / path)
    shutil.copyfile(built_page(), output / _HANDLER / PAGE)


def built_page() -> Path:
    """Build the page unless it is built already, and return its file; raise RuntimeError if that fails."""
    folder = _CACHE / _page_key()
    if (folder / PAGE).is_file():
        return folder / PAGE
    if not _VITE.is_file():
        raise RuntimeError("Vite, which builds the console, is not installed: run `make setup`")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="building-") as scratch:
        command = ["node", str(_VITE), "build", "--logLevel", "warn", "--outDir", scratch, "--emptyOutDir"]
        done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Vite could not build the console:\n{done.stdout}{done.stderr}")
        folder.mkdir(exist_ok=True)
        # Another synthesis may build the same page at the same time.
        (Path(scratch) / PAGE).replace(folder / PAGE)
    return folder / PAGE


def _python_files() -> list[Path]:
    packages = [package / "__init__.py" for package in _PACKAGES]
    return [*packages, _HANDLER / "handler.py"]


def _page_key() -> str:
    """Hash the page's sources and the versions of what builds it."""
    digest = hashlib.sha256((ROOT / "package-lock.json").read_bytes())
    for folder, folders, files in os.walk(SOURCE):
        folders.sort()
        for name in sorted(files):
            path = Path(folder) / name
            digest.update(f"{path.relative_to(SOURCE).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]
