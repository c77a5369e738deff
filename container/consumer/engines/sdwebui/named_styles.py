"""Check the styles that a content names, and write those of the model bucket into its prompts."""

from typing import Final

from container.consumer.engines.sdwebui.names import Content, Names
from container.consumer.engines.sdwebui.styles import BucketStyles, Style, TooLong, apply
from domain.limits import Limits
from runtimes.sdwebui.model_names import STYLES_FILE
from runtimes.sdwebui.prompt_networks import network_tags
from runtimes.sdwebui.prompts import prompt_faults

_TAKE_PROMPTS_APART: Final = frozenset({"prompt matrix", "prompts from file or textbox", "x/y/z plot"})
"""Scripts after which SD Web UI would apply a style, so that it must not be in the prompt before."""


class StyleNames:
    """Checks the styles of one content."""

    def __init__(self, content: Content, names: Names, bucket: BucketStyles, limits: Limits) -> None:
        self._content = content
        self._names = names
        self._found = names.found
        self._bucket = bucket
        self._limits = limits

    def check(self) -> None:
        """Correct the names in place; if one of them is the bucket's, replace them all by their texts."""
        named = self._content.get("styles")
        if not isinstance(named, list) or not named:
            return
        own = self._bucket.all()
        listed = self._names.catalogue.styles()
        if listed is None and not own:
            return
        named = self._content["styles"] = list(named)
        hint = f"; add it to {STYLES_FILE} of the model bucket" if self._bucket.exist else ""
        for index in range(len(named)):
            self._names.correct(named, index, f"/styles/{index}", self._listed, "style", hint=hint)
        known = self._engines() | dict(own)
        styles = [known[name] for name in named if name in known]
        self._check_networks(named, known)
        prompts = self._applied(styles)
        if any(name in own for name in named) and prompts is not None:
            self._check_script()
            self._content |= prompts | {"styles": []}

    def _listed(self) -> list[str]:
        return [*self._bucket.all(), *self._engines()]

    def _engines(self) -> dict[str, Style]:
        entries = self._names.catalogue.styles() or ()
        texts = ((one["name"], one.get("prompt") or "", one.get("negative_prompt") or "") for one in entries)
        return {name: Style(name, str(prompt), str(negative)) for name, prompt, negative in texts}

    def _check_networks(self, named: list[str], known: dict[str, Style]) -> None:
        for index, name in enumerate(named if self._content.get("disable_extra_networks") else ()):
            style = known.get(name, Style(name))
            if any(network_tags(style.prompt)) or any(network_tags(style.negative_prompt)):
                text = f"the style '{name}' names networks, and disable_extra_networks is true"
                self._found.fault(f"/styles/{index}", text)

    def _applied(self, styles: list[Style]) -> dict[str, str] | None:
        """Return the prompts with their styles, if they are within the limits of prompts."""
        try:
            prompts = apply(styles, self._content, self._limits.prompt_characters)
        except TooLong:
            most = self._limits.prompt_characters
            self._found.fault("/styles", f"with its styles, a prompt has more than {most} characters")
            return None
        faults = list(prompt_faults(prompts, self._limits))
        for fault in faults:
            self._found.fault("/styles", f"with its styles, {fault.path} is refused: {fault.message}")
        return None if faults else prompts

    def _check_script(self) -> None:
        script = self._content.get("script_name")
        if isinstance(script, str) and script.lower() in _TAKE_PROMPTS_APART:
            text = f"a style of {STYLES_FILE} cannot be used with {script}; write its text into the prompt"
            self._found.fault("/styles", text)
