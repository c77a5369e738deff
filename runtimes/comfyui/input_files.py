"""The input files of a task: links and base64 in `files`, or in place of a file's name in a node."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Final

from runtimes.comfyui.policy import bad_file_name
from runtimes.findings import Findings
from runtimes.links import begins_as_link, is_link, refused_link
from runtimes.media import (
    AUDIO_NAMES,
    BEGINNING_BYTES,
    VIDEO_NAMES,
    begins_as_audio,
    begins_as_image,
    begins_as_video,
    other_kind,
)

_DATA_URI: Final = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w=.+-]{1,100}){0,5},", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}")
_SHORTEST_BASE64: Final = 24
_OWN_NAME: Final = "file-{}"

_KINDS: Final = {
    "image": ("an image", (begins_as_image,)),
    "video": (f"a video ({VIDEO_NAMES})", (begins_as_video,)),
    "audio": (f"a sound ({AUDIO_NAMES}) or a video", (begins_as_audio, begins_as_video)),
}

NOT_A_FILE: Final = "a link (https, http, s3), base64, or a name in `files` is expected"


@dataclass(slots=True)
class InputFiles:
    """Collects the files of a task by name; those that stand in a node get a name of ours."""

    found: Findings
    files: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def read(self, files: dict[str, Any], paths: dict[str, str]) -> None:
        """Take the named files of a request."""
        for name, value in files.items():
            path = paths[name]
            reason = bad_file_name(name)
            if reason:
                self.found.fault(path, f"the name of an input file is expected; it {reason}")
            wrong = not_a_file(value)
            if wrong:
                self.found.fault(path, wrong)
            if reason or wrong:
                self.refused.add(name)
            else:
                self.files[name] = value

    def take(self, value: Any, path: str, media: str) -> str | None:
        """Return the name in `files` for the value of a node's input; None, with a fault, if it has none."""
        if isinstance(value, str) and (value in self.files or value in self.refused):
            self.used.add(value)
            wrong = not_of(media, self.files.get(value, ""))
            if wrong:
                self.found.fault(path, wrong)
            return value
        wrong = not_a_file(value)
        if wrong and isinstance(value, str) and not begins_as_link(value):
            reason = bad_file_name(value)
            wrong = f"{NOT_A_FILE}; it {reason}" if reason else wrong
        wrong = wrong or not_of(media, value)
        if wrong:
            self.found.fault(path, wrong)
            return None
        name = next((one for one, known in self.files.items() if known == value), None) or self._new_name()
        self.files[name] = value
        self.used.add(name)
        return name

    def warn_of_unused(self, paths: dict[str, str]) -> None:
        """Leave out the files that no node names, with a warning."""
        for name in [name for name in self.files if name not in self.used]:
            del self.files[name]
            self.found.warn(paths[name], "ignored: no node of the workflow names this file")

    def _new_name(self) -> str:
        number = 1
        while _OWN_NAME.format(number) in self.files:
            number += 1
        return _OWN_NAME.format(number)


def not_a_file(value: Any) -> str | None:
    """Return why a value is neither a link that is downloaded nor base64, or None if it is one of them."""
    if not isinstance(value, str) or not value:
        return NOT_A_FILE
    if reason := refused_link(value):
        return reason
    if is_link(value):
        return None
    if begins_as_link(value):
        return "the link is not valid: it has spaces or nothing after its scheme"
    return None if _is_base64(value) else NOT_A_FILE


def not_of(media: str, value: str) -> str | None:
    """Return why a file cannot be of a kind, as far as the beginning of inline data tells."""
    if media not in _KINDS:
        return "files of this kind are not uploaded; this service takes images, videos and sounds"
    if not value or is_link(value):
        return None
    data = beginning(value)
    name, begins = _KINDS[media]
    if any(one(data) for one in begins):
        return None
    kind = other_kind(data) if media == "image" else None
    return f"neither a link nor base64 of {name}{f': it is {kind}' if kind else ''}"


def beginning(text: str) -> bytes:
    """Return the first bytes of base64, or nothing if it is none."""
    text = _without_head(text)[: 2 * BEGINNING_BYTES]
    encoded = re.sub(r"\s", "", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except ValueError:
        return b""


def _is_base64(text: str) -> bool:
    body = _without_head(text).rstrip()  # spaces at the end would take quadratic time
    return len(body) >= _SHORTEST_BASE64 and _BASE64.fullmatch(body) is not None


def _without_head(text: str) -> str:
    head = _DATA_URI.match(text)
    return text[head.end() :] if head else text
