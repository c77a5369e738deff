"""Local files and bytes in the body of a task, and files of downloaded images."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from sd_on_ecs.api_types import Task
from sd_on_ecs.errors import InputError

MAX_UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""What a deployment accepts as one image."""

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
}
"""Content types by the endings of names; a deployment has a limit of its own for videos and sounds."""

Local = bytes | Path
"""A value in a body that has to be uploaded."""


def find_local(body: Any) -> Iterator[tuple[Any, Any, Local]]:
    """Yield each local value in a body: the dictionary or list that has it, its key there, and itself."""
    entries = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in list(entries):
        if isinstance(value, bytes | Path):
            yield body, key, value
        else:
            yield from find_local(value)


def copied(body: Any) -> Any:
    """Return a copy of a body whose dictionaries and lists can be changed."""
    if isinstance(body, dict):
        return {key: copied(value) for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [copied(value) for value in body]
    return body


def media_type(source: Local) -> str | None:
    """Return the content type of a video or sound; None for anything else, which a deployment recognizes."""
    return MEDIA_TYPES.get(source.suffix.lower()) if isinstance(source, Path) else None


def read_local(source: Local) -> tuple[str, bytes, str | None]:
    """Return the name, the bytes and the `media_type` of a local input; raise `InputError` if it is none."""
    kind = media_type(source)
    if isinstance(source, bytes):
        name, content = "input", source
    else:
        try:
            name, content = source.name, source.read_bytes()
        except OSError as error:
            raise InputError(f"{source} cannot be read: {error.strerror or error}") from None
    if not content:
        raise InputError(f"{name} is empty")
    if kind is None and len(content) > MAX_UPLOAD_BYTES:
        raise InputError(f"{name} has {len(content):,} bytes; an image has at most {MAX_UPLOAD_BYTES:,}")
    return name, content, kind


def output_links(task: Task, *, others: bool, document: bool) -> dict[str, str]:
    """Return links to what a task has stored, by their file names."""
    found = [*task["images"], *(task["other_images"] if others else ())]
    if document and task["output"]:
        found.append(task["output"])
    return {PurePosixPath(urlsplit(one["s3"]).path).name: one["url"] for one in found}
