"""Check that an extension of SD Web UI replaces the wildcards in prompts (`__color__`)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue
from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import WILDCARDS_FOLDER
from runtimes.sdwebui.prompts import PROMPTS, strip_networks
from runtimes.sdwebui.redundant_scripts import is_switched_off

_WILDCARD: Final = re.compile(r"(?<!\w)__(?!_)([\w.*/-]{1,100}?)(?:\([^()]{0,100}\))?__(?!\w)")
_EXTENSION_TITLES: Final = ("dynamic prompts", "wildcard", "unprompted", "prompt post-processor")
"""Parts of the titles, in lower case, of scripts that fill in wildcards."""


def expected_wildcards(content: dict[str, Any], catalogue: Catalogue, tab: str) -> tuple[str, ...]:
    """Return the wildcards that must no longer be in the prompts of the response.

    There are none if the task switches the extension off: its wildcards are then meant as plain words. Raise
    PermanentError if SD Web UI has no such extension. `tab` is `txt2img` or `img2img`.
    """
    wildcards = tuple(dict.fromkeys(_find_wildcards(content)))
    titles = catalogue.scripts(tab) if wildcards else None
    if titles is None or _is_extension_off(content):
        return ()
    if not any(part in title for title in titles for part in _EXTENSION_TITLES):
        text = (
            f"/prompt: {wildcards[0]} is a wildcard, and this SD Web UI has no extension such as Dynamic "
            "Prompts that fills it in; it would read it as plain words."
        )
        raise PermanentError(ErrorCode.INVALID_CONTENT, text)
    return wildcards


def find_unfilled_wildcard(wildcards: Sequence[str], info: dict[str, Any]) -> str | None:
    """Return an error text for the first wildcard that SD Web UI did not replace, or None without one."""
    texts = [
        text
        for name in ("all_prompts", "all_negative_prompts")
        for text in info.get(name) or ()
        if isinstance(text, str)
    ]
    unfilled = next((each for each in wildcards if any(each in text for text in texts)), None)
    if unfilled is None:
        return None
    match = _WILDCARD.match(unfilled)
    file = f"{WILDCARDS_FOLDER}/{match[1] if match else unfilled}.txt"
    return (
        f"SD Web UI did not fill in {unfilled}. Add {file} to the model bucket; "
        "it is downloaded when a worker starts."
    )


def _find_wildcards(content: dict[str, Any]) -> Iterator[str]:
    for name in PROMPTS:
        text = content.get(name)
        if isinstance(text, str) and "__" in text:
            yield from (match[0] for match in _WILDCARD.finditer(strip_networks(text)))


def _is_extension_off(content: dict[str, Any]) -> bool:
    scripts = content.get("alwayson_scripts")
    entries = scripts.items() if isinstance(scripts, dict) else ()
    return any(
        isinstance(entry, dict) and entry.get("args") and is_switched_off(entry)
        for title, entry in entries
        if any(part in title.lower() for part in _EXTENSION_TITLES)
    )
