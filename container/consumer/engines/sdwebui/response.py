"""Read the response to a job: its pictures, additional images such as grids, and what was used."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from container.consumer.engines.base import PICTURE, Artifact, Json, Result
from container.consumer.engines.sdwebui.infotext import read_infotext, read_seed
from container.consumer.engines.sdwebui.pictures import (
    FORMATS_WITH_INFOTEXT,
    ReturnedImage,
    classify_images,
    index_of_first_picture,
)
from container.consumer.engines.sdwebui.result_check import find_substitution
from container.consumer.engines.sdwebui.wildcards import find_unfilled_wildcard
from container.consumer.inputs.images import sniff
from domain.errors import ErrorCode, Fault, PermanentError, RetryableError
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.task_type import TaskType

_ECHOED_FIELDS: Final = frozenset().union(*FIELDS.values()) - {
    "alwayson_scripts",
    "firstpass_image",
    "image",
    "imageList",
    "init_images",
    "latent_mask",
    "mask",
    "script_args",
}
"""Fields of the request that never contain an image, wherever they are in a script."""

_UNCERTAIN_KINDS: Final = Fault(
    "",
    "SD Web UI wrote no infotext into its images: which of them are pictures was decided by their order.",
)

_MAX_ECHOED_CHARACTERS: Final = 32 * 1024
"""Longer texts that SD Web UI echoes from the request are dropped; the prompts of a task are shorter."""


def read_result(
    body: bytes,
    tasktype: TaskType,
    content: Json,
    *,
    checkpoint: str | None,
    sampler: str | None,
    wildcards: Sequence[str] = (),
) -> Result:
    """Return the result of a job from the body of its response.

    Raise RetryableError if the response is incomplete. Raise PermanentError if it is not what the task asked
    for: it has no picture, or another checkpoint, sampler or VAE was used than required (None: any).
    """
    response = _parse(body)
    encoded_images = _take_images(response)
    info = _parse_info(response.get("info"))
    document = _remove_input_images(response)
    model = info.get("sd_model_name")
    model = model if isinstance(model, str) else None
    if checkpoint is not None and model != checkpoint:
        raise PermanentError(
            ErrorCode.WRONG_MODEL, f"SD Web UI used {model} instead of {checkpoint}.", response=document
        )
    if difference := find_substitution(content, sampler, info):
        raise PermanentError(ErrorCode.ENGINE_ERROR, difference, response=document)
    if unfilled := find_unfilled_wildcard(wildcards, info):
        raise PermanentError(ErrorCode.INVALID_CONTENT, unfilled, response=document)
    warnings: list[Fault] = []
    images = [_inspect(encoded) for encoded in encoded_images]
    kinds = [PICTURE] * len(images)
    if tasktype.generates:
        kinds, is_uncertain = classify_images(images, content, info)
        warnings += [_UNCERTAIN_KINDS] if is_uncertain else []
    names = _batch_names(tasktype, content)
    artifacts = list(_artifacts(images, kinds, info, model))
    picture_count = kinds.count(PICTURE)
    if len(names) == picture_count:
        artifacts = [
            replace(artifact, receipt=artifact.receipt | {"name": name})
            for artifact, name in zip(artifacts, names, strict=True)
        ]
    if not picture_count:
        raise PermanentError(ErrorCode.NO_IMAGES, "SD Web UI returned no images.", response=document)
    requested = _requested_count(content) if tasktype.generates else len(names) or None
    if requested is not None and picture_count < requested:
        warnings.append(Fault("", f"SD Web UI returned {picture_count} of {requested} images."))
    return Result(artifacts, document, model, warnings)


def _parse(body: bytes) -> Json:
    try:
        response = json.loads(body)
    except ValueError:
        message = "SD Web UI's response is incomplete."
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message) from None
    if not isinstance(response, dict):
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "SD Web UI's response is not a JSON object.")
    return response


def _take_images(response: Json) -> list[str]:
    """Remove the images from the response and return them; extras have one in `image`."""
    images = response.pop("images", None) or []
    single = response.pop("image", None)
    return [single, *images] if single else images


def _parse_info(text: Any) -> Json:
    try:
        info = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        info = None
    return info if isinstance(info, dict) else {}


def _remove_input_images(response: Json) -> Json:
    """Return a response without the images of the request, most of which SD Web UI echoes.

    Scripts may contain images under any key, so only fields that are known to contain none are kept.
    """
    parameters = response.get("parameters")
    if not isinstance(parameters, dict):
        return {name: value for name, value in response.items() if name != "parameters"}
    kept = {
        name: value
        for name, value in parameters.items()
        if name in _ECHOED_FIELDS and not _is_long_text(value)
    }
    return response | {"parameters": kept}


def _is_long_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _MAX_ECHOED_CHARACTERS


def _inspect(encoded: str) -> ReturnedImage:
    data = _decode(encoded)
    image = sniff(data)
    may_have_infotext = image is not None and image.format in FORMATS_WITH_INFOTEXT
    infotext = read_infotext(data) if may_have_infotext else None
    return ReturnedImage(encoded, infotext, may_have_infotext=may_have_infotext)


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError, TypeError):
        raise PermanentError(
            ErrorCode.ENGINE_ERROR, "SD Web UI returned an image that is not base64."
        ) from None


def _artifacts(
    images: Sequence[ReturnedImage], kinds: Sequence[str], info: Json, model: str | None
) -> Iterator[Artifact]:
    first = index_of_first_picture(info)
    seeds, infotexts = info.get("all_seeds") or [], info.get("infotexts") or []
    number = 0
    for image, kind in zip(images, kinds, strict=True):
        data = partial(_decode, image.encoded)
        if kind != PICTURE:
            yield Artifact(data, None, {"kind": kind, "model": model}, kind)
            continue
        # `info` contains a text for each grid and each picture, and a seed for each picture.
        infotext = image.infotext or next(iter(infotexts[first + number :]), None)
        seed = read_seed(infotext)
        if seed is None:
            seed = next(iter(seeds[number:]), None)
        number += 1
        yield Artifact(data, number, {"kind": kind, "seed": seed, "infotext": infotext, "model": model})


def _batch_names(tasktype: TaskType, content: Json) -> list[str]:
    """Return the names that the caller gave to the images of a batch; SD Web UI keeps their order."""
    if tasktype is not TaskType.EXTRA_BATCH_IMAGES:
        return []
    return [str(entry["name"]) for entry in content["imageList"]]


def _requested_count(content: Json) -> int | None:
    """Return how many pictures were requested, or None if a script decides."""
    if content.get("script_name"):
        return None
    return int(content.get("batch_size") or 1) * int(content.get("n_iter") or 1)
