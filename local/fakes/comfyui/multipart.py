"""Read multipart/form-data bodies."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?')
PARAMETER: Final = re.compile(r'\b(name|filename)="((?:[^"\\]|\\.|%22)*)"')


@dataclass(frozen=True)
class Part:
    """A field of a form; `filename` is None unless it is a file."""

    content: bytes
    filename: str | None = None

    @property
    def text(self) -> str:
        """Return the content as text."""
        return self.content.decode("utf-8", "replace")


async def read_form(request: Request) -> dict[str, Part] | None:
    """Return the fields of a form by name, or None if the body is no form."""
    boundary = BOUNDARY.search(request.headers.get("content-type", ""))
    body = await request.body()
    if boundary is None or not request.headers["content-type"].startswith("multipart/"):
        return None
    fields: dict[str, Part] = {}
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.group(1).encode())[1:]:
        head, blank_line, content = piece.partition(b"\r\n\r\n")
        if not blank_line or piece.startswith(b"--"):
            continue
        names = dict(PARAMETER.findall(head.decode("utf-8", "replace")))
        if "name" in names:
            filename = names.get("filename")
            if filename is not None:
                filename = filename.replace('\\"', '"').replace("%22", '"')
            fields[names["name"]] = Part(content, filename)
    return fields
