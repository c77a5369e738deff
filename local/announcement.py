"""Tell the command `sd-on-ecs` how to reach a pipeline that runs on this machine."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.emulator import REGION
from local.pipeline import Pipeline


@contextmanager
def announce(pipeline: Pipeline, temporary: Path | None = None) -> Iterator[Path]:
    """Keep a file with endpoint and key of a pipeline inside a `with` block.

    It is in a folder of the user that only the user can read, in the folder for temporary files. Its name is
    the id of this process, so that what a killed process has left is recognized.
    """
    folder = (temporary or Path(tempfile.gettempdir())) / f"sd-on-ecs-local-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{os.getpid()}.json"
    partial = file.with_suffix(".part")
    content = {
        "endpoint": pipeline.deployment.api_url,
        "key": pipeline.deployment.api_key,
        "region": REGION,
        "aws_endpoint_url": pipeline.aws.endpoint_url,
        "model_bucket": pipeline.deployment.outputs["ModelBucket"],
    }
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(file)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
