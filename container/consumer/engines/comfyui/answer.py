"""Read what a finished job has made: its history says which files, `/view` has them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.base import AmbiguousError, Artifact, Result
from container.consumer.engines.comfyui.client import ComfyUi, FileTooLarge
from container.consumer.engines.comfyui.faults import message
from container.consumer.engines.comfyui.png_texts import with_texts
from container.consumer.engines.comfyui.whole import is_whole
from container.consumer.inputs.images import sniff
from domain.errors import ErrorCode, PermanentError

Json = dict[str, Any]

OUTPUT: Final = "output"
TEMP: Final = "temp"
SEEDS: Final = frozenset({"seed", "noise_seed"})
MAX_FILES: Final = 1000
"""Of one job: a video has many frames, and a node that stores each of them would fill the bucket."""

MAX_BYTES: Final = 2 * 1024**3
"""Of all files of a job together: they are in the worker's memory until they are stored."""

MAX_TEXT_BYTES: Final = 65_536
"""For all texts of a job together; they are stored in `.out` only."""

ENDINGS: Final = {"jpeg": "jpg", "apng": "png", "oga": "ogg"}
"""Other endings of names, and those that the files get."""

SAME_CONTAINER: Final = (
    frozenset({"ogg", "opus"}),
    frozenset({"mp4", "m4a", "mov"}),
    frozenset({"mkv", "webm"}),
)
"""Endings that nodes use for each other's files; the content decides."""

TEXT_KEYS: Final = ("text", "string", "texts")
"""Keys under which nodes report texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a job was asked for."""

    job: str
    prompt: Mapping[str, Any]
    """The workflow as its caller sent it."""
    wanted: Sequence[str]
    """The output nodes, in the order of their files."""
    chosen: bool
    """Whether the caller has named the output nodes."""
    nonce: str
    models: Sequence[Json]
    version: str
    texts: Mapping[str, str] = field(default_factory=dict)
    """Texts to write into PNG files, instead of those that ComfyUI may have written."""


@dataclass(frozen=True, slots=True)
class _File:
    node: str
    key: str
    item: Json


def temporary_files(entry: Json) -> list[str]:
    """Return the names of a job's temporary files."""
    return [one.item["filename"] for one in _files(entry, _nodes(entry)) if one.item.get("type") == TEMP]


def read_result(server: ComfyUi, entry: Json, asked: Asked, *, max_bytes: int = MAX_BYTES) -> Result:
    """Return the files and the document of a job that ended as a success.

    Raise PermanentError or RetryableError unless every wanted node has reported what is there.
    """
    cached = _cached(entry)
    if stale := [node for node in asked.wanted if node in cached]:
        # Their files would be those of an earlier job.
        text = f"ComfyUI took the output of node {stale[0]} from its cache."
        raise AmbiguousError(ErrorCode.WRONG_OUTPUT, text)
    outputs = entry.get("outputs") or {}
    if silent := [node for node in asked.wanted if not outputs.get(node)]:
        names = ", ".join(f"{node} ({asked.prompt[node]['class_type']})" for node in silent[:5])
        text = f"ComfyUI finished the job, but these output nodes made nothing: {names}."
        raise PermanentError(ErrorCode.NO_IMAGES, text)
    files = _stored(list(_files(entry, asked.wanted)), chosen=asked.chosen)
    texts = _texts(entry, asked.wanted)
    if not files and not texts:
        raise PermanentError(ErrorCode.NO_IMAGES, "ComfyUI finished the job, but no node made a file.")
    if len(files) > MAX_FILES:
        text = f"The job made {len(files)} files; at most {MAX_FILES} are stored."
        raise PermanentError(ErrorCode.WRONG_OUTPUT, text)
    artifacts, left = [], max_bytes
    for number, one in enumerate(files, 1):
        data = _data(server, one, asked, left)
        left -= len(data)
        artifacts.append(_artifact(one, data, asked, number))
    document = {
        "runtime_type": "comfyui",
        "comfyui": asked.version,
        "prompt_id": asked.job,
        "seeds": _seeds(asked.prompt),
        "models": list(asked.models),
        "cached_nodes": sorted(cached),
        **({"texts": texts} if texts else {}),
    }
    return Result(artifacts, document)


def _nodes(entry: Json) -> list[str]:
    return list(entry.get("outputs") or {})


def _files(entry: Json, nodes: Sequence[str]) -> Iterator[_File]:
    """Yield the files of nodes: every list of any key may hold some (`gifs` of a video node, `audio`)."""
    outputs = entry.get("outputs") or {}
    for node in nodes:
        for key, items in (outputs.get(node) or {}).items():
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and isinstance(item.get("filename"), str):
                    yield _File(node, key, item)


def _stored(files: list[_File], *, chosen: bool) -> list[_File]:
    """Return the files to store: all of chosen nodes, else previews only if there is nothing else."""
    if chosen:
        return files
    return [one for one in files if one.item.get("type") == OUTPUT] or files


def _data(server: ComfyUi, one: _File, asked: Asked, max_bytes: int) -> bytes:
    """Return the bytes of a file of this job, of which at most `max_bytes` may be read."""
    _check_place(one, asked.nonce)
    try:
        data = server.view(one.item, max_bytes)
    except FileTooLarge:
        text = (
            f"The files of the job, up to one of node {one.node}, have more bytes than are stored of a task "
            f"({MAX_BYTES // 1024**3} GiB): make fewer or smaller files, or a video instead of its frames."
        )
        raise PermanentError(ErrorCode.WRONG_OUTPUT, text) from None
    if data is None:
        raise PermanentError(
            ErrorCode.NO_IMAGES, f"ComfyUI does not have a file that node {one.node} reported."
        )
    return data


def _artifact(one: _File, data: bytes, asked: Asked, number: int) -> Artifact:
    found = sniff(data)
    ending = PurePosixPath(one.item["filename"]).suffix.lower().lstrip(".")
    if found is None or not _fits(ENDINGS.get(ending, ending), found.extension):
        what = found.format if found else "no image, video or sound of a type that is stored"
        text = f"Node {one.node} made a file with the ending .{ending[:10]} that is {what}."
        raise PermanentError(ErrorCode.WRONG_OUTPUT, text)
    if not is_whole(data, found.format):
        text = f"Node {one.node} made a {found.format} file that is not complete."
        raise AmbiguousError(ErrorCode.WRONG_OUTPUT, text)
    if found.format == "PNG":
        data = with_texts(data, asked.texts)
    node = asked.prompt[one.node]
    title = (node.get("_meta") or {}).get("title")
    receipt = {"node": one.node, "class_type": node["class_type"], "output_key": one.key, "media": found.kind}
    return Artifact(partial(bytes, data), number, receipt | ({"title": title} if title else {}))


def _fits(ending: str, extension: str) -> bool:
    return ending == extension or any({ending, extension} <= same for same in SAME_CONTAINER)


def _check_place(one: _File, nonce: str) -> None:
    """Refuse a file that is not of this job: a node reports whatever name it likes."""
    name, folder = one.item["filename"], str(one.item.get("subfolder") or "")
    kind = one.item.get("type")
    # A preview node names its temporary file itself; others put it into the job's folder.
    own = folder.split("/", 1)[0] == nonce
    inside = own if kind == OUTPUT else kind == TEMP and (own or not folder)
    if not inside or ".." in folder.split("/") or "/" in name or "\\" in name:
        text = f"Node {one.node} reported a file outside of this job's folder."
        raise PermanentError(ErrorCode.WRONG_OUTPUT, text)


def _cached(entry: Json) -> set[str]:
    data = message(entry, "execution_cached")
    return {str(node) for node in (data or {}).get("nodes") or ()}


def _texts(entry: Json, nodes: Sequence[str]) -> list[Json]:
    found: list[Json] = []
    left = MAX_TEXT_BYTES
    for node in nodes:
        reported = (entry.get("outputs") or {}).get(node) or {}
        for key in TEXT_KEYS:
            values = reported.get(key)
            kept = []
            for text in values if isinstance(values, list) else ():
                if isinstance(text, str):
                    cut = text.encode()[:left].decode(errors="ignore")
                    left -= len(cut.encode())
                    kept.append(cut)
            if kept:
                found.append({"node": node, "key": key, "value": kept})
    return found


def _seeds(prompt: Mapping[str, Any]) -> Json:
    return {
        f"{node}.{name}": value
        for node, one in prompt.items()
        for name, value in one["inputs"].items()
        if name in SEEDS and isinstance(value, int)
    }
