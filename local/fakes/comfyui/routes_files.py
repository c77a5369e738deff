"""The routes for uploading and downloading files."""

import hashlib
import mimetypes
import os
from io import BytesIO
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.fakes.comfyui.components import Components
from local.fakes.comfyui.error_responses import Crash
from local.fakes.comfyui.multipart import Part, read_form

SCRIPTABLE_TYPES = ("text/html", "text/javascript", "text/css", "application/javascript", "image/svg+xml")


def routes(components: Components) -> list[Route]:
    """Return the routes."""
    folders = components.folders.by_type

    async def view(request: Request) -> Response:  # noqa: PLR0911 -- each refusal has its own status
        query = request.query_params
        if "filename" not in query:
            return Response(status_code=404)
        name, kind = _split_folder_type(query["filename"], query.get("type", "output"))
        if not name or name[0] == "/" or ".." in name:
            return Response(status_code=400)
        if kind not in folders:
            return Response(status_code=400)
        folder = os.path.join(folders[kind], query.get("subfolder", ""))  # noqa: PTH118
        if not _is_inside(folder, folders[kind]):
            return Response(status_code=403)
        path = Path(folder) / Path(name).name
        if not path.is_file():
            return Response(status_code=404)
        disposition = {"content-disposition": f'filename="{path.name}"'}
        if "preview" in query or query.get("channel") in ("rgb", "a"):
            content, media = _convert(path, query.get("preview"), query.get("channel"))
            return Response(content, media_type=media, headers=disposition)
        media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        media = "application/octet-stream" if media in SCRIPTABLE_TYPES else media
        return FileResponse(path, media_type=media, headers=disposition)

    async def upload_image(request: Request) -> Response:
        if components.has_request_fault("upload-too-large"):
            return Response("Maximum request body size 104857600 exceeded.", 413)
        form = await read_form(request)
        if form is None:
            return Response(status_code=400)
        part = form.get("image")
        if part is None or part.filename is None:
            if part is not None:
                raise Crash
            return Response(status_code=400)
        return _store(components, form, part, part.content)

    async def upload_mask(request: Request) -> Response:
        form = await read_form(request)
        if form is None or "image" not in form:
            return Response(status_code=400)
        if "original_ref" not in form:
            raise Crash
        return _store(components, form, form["image"], form["image"].content)

    return [
        Route("/view", view),
        Route("/upload/image", upload_image, methods=["POST"]),
        Route("/upload/mask", upload_mask, methods=["POST"]),
    ]


def _store(components: Components, form: dict[str, Part], part: Part, content: bytes) -> Response:
    name = part.filename or ""
    kind = form["type"].text if "type" in form else "input"
    subfolder = form["subfolder"].text if "subfolder" in form else ""
    overwrite = form["overwrite"].text.lower() in ("true", "1") if "overwrite" in form else False
    if kind not in components.folders.by_type or name.startswith("/"):
        raise Crash
    if not name:
        return Response(status_code=400)
    root = components.folders.by_type[kind]
    folder = os.path.join(root, os.path.normpath(subfolder))  # noqa: PTH118
    path = Path(os.path.abspath(os.path.join(folder, name)))  # noqa: PTH100, PTH118
    if not _is_inside(str(path), root):
        return Response(status_code=400)
    Path(folder).mkdir(parents=True, exist_ok=True)
    number = 1
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    while not overwrite and path.exists():
        if hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest():
            return JSONResponse({"name": name, "subfolder": subfolder, "type": kind})
        name = f"{stem} ({number}){ending}"
        path = Path(folder) / name
        number += 1
    path.write_bytes(content)
    return JSONResponse({"name": name, "subfolder": subfolder, "type": kind})


def _split_folder_type(name: str, kind: str) -> tuple[str, str]:
    for folder_type in ("output", "input", "temp"):
        if name.endswith(f"[{folder_type}]"):
            return name[: -len(folder_type) - 3], folder_type
    return name, kind


def _is_inside(path: str, root: Path) -> bool:
    return os.path.commonpath((os.path.abspath(path), root)) == str(root)  # noqa: PTH100


def _convert(path: Path, preview: str | None, channel: str | None) -> tuple[bytes, str]:
    """Return an image as a preview (`webp;90`), or only its colors or its transparency."""
    content = BytesIO()
    with Image.open(path) as image:
        if preview is not None:
            kind, _, quality = preview.partition(";")
            kind = kind if kind in ("webp", "jpeg") else "webp"
            converted = image.convert("RGB") if kind == "jpeg" or channel == "rgb" else image
            converted.save(content, kind, quality=int(quality) if quality.isdigit() else 90)
            return content.getvalue(), f"image/{kind}"
        if channel == "rgb":
            image.convert("RGB").save(content, "PNG")
        else:
            alpha = Image.new("RGBA", image.size)
            alpha.putalpha(image.convert("RGBA").getchannel("A"))
            alpha.save(content, "PNG")
    return content.getvalue(), "image/png"
