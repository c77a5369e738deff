"""`python -m tools.node_catalogue URL`: make the catalogue of the node classes of a running ComfyUI."""

import argparse
import json
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tools.node_catalogue.markers import markers
from tools.node_catalogue.reduce import Reducer

_TIMEOUT_SECONDS: Final = 60


def main(arguments: list[str] | None = None) -> int:
    """Write the catalogue of a server to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tools.node_catalogue", description=__doc__)
    parser.add_argument("url", help="of a running ComfyUI, such as http://127.0.0.1:8188")
    parser.add_argument(
        "--base-directory",
        type=Path,
        help="its folder with models/ and input/; marker files are put there for a moment, to find the "
        "inputs of custom nodes that name models and files",
    )
    parser.add_argument("--custom", action="store_true", help="with the classes of custom nodes")
    parser.add_argument("--also", action="append", default=[], help="URL of a further version to allow")
    given = parser.parse_args(arguments)
    urls = [given.url, *given.also]
    with ExitStack() as stack:
        base = given.base_directory
        reducer = Reducer(stack.enter_context(markers(base, _get(f"{given.url}/models"))) if base else None)
        for url in urls:
            reducer.add(_get(f"{url}/object_info"), custom=given.custom)
    versions = [str(_get(f"{url}/system_stats")["system"]["comfyui_version"]) for url in urls]
    sys.stdout.write(reducer.text(", ".join(versions)))
    return 0


def _get(url: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise SystemExit(f"{url}: an http:// or https:// URL is expected")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - checked above
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main())
