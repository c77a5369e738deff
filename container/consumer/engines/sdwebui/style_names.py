"""Check the styles that a content names, and write those of the model bucket into its prompts.

A style is a named text that is added to a prompt. SD Web UI has its own; others are in the model bucket.
"""

from typing import Final

from container.consumer.engines.sdwebui.name_corrector import Content, NameCorrector
from container.consumer.engines.sdwebui.styles import BucketStyles, PromptTooLong, Style, apply_styles
from domain.limits import Limits
from runtimes.sdwebui.model_names import STYLES_FILE
from runtimes.sdwebui.prompt_networks import network_tags
from runtimes.sdwebui.prompts import prompt_faults

_SCRIPTS_THAT_SPLIT_PROMPTS: Final = frozenset(
    {"prompt matrix", "prompts from file or textbox", "x/y/z plot"}
)
"""Scripts that split the prompt before SD Web UI applies styles, so that it must not contain one already."""


class StyleChecker:
    """Checks the styles of one content."""

    def __init__(
        self, content: Content, corrector: NameCorrector, bucket_styles: BucketStyles, limits: Limits
    ) -> None:
        self._content = content
        self._corrector = corrector
        self._findings = corrector.findings
        self._bucket_styles = bucket_styles
        self._limits = limits

    def check(self) -> None:
        """Correct the names in place; if a style is the bucket's, write the texts of all into the prompts."""
        names = self._content.get("styles")
        if not isinstance(names, list) or not names:
            return
        bucket_styles = self._bucket_styles.all()
        if self._corrector.catalogue.styles() is None and not bucket_styles:
            return
        names = self._content["styles"] = list(names)
        hint = f"; add it to {STYLES_FILE} of the model bucket" if self._bucket_styles.has_bucket else ""
        for index in range(len(names)):
            self._corrector.correct(names, index, f"/styles/{index}", self._all_names, "style", hint=hint)
        all_styles = self._engine_styles() | dict(bucket_styles)
        self._check_networks(names, all_styles)
        prompts = self._apply([all_styles[name] for name in names if name in all_styles])
        # SD Web UI lacks the bucket's styles; if only those were applied here, the order would change.
        if any(name in bucket_styles for name in names) and prompts is not None:
            self._check_script()
            self._content |= prompts | {"styles": []}

    def _all_names(self) -> list[str]:
        return [*self._bucket_styles.all(), *self._engine_styles()]

    def _engine_styles(self) -> dict[str, Style]:
        return {
            entry["name"]: Style(
                entry["name"], str(entry.get("prompt") or ""), str(entry.get("negative_prompt") or "")
            )
            for entry in self._corrector.catalogue.styles() or ()
        }

    def _check_networks(self, names: list[str], all_styles: dict[str, Style]) -> None:
        for index, name in enumerate(names if self._content.get("disable_extra_networks") else ()):
            style = all_styles.get(name, Style(name))
            if any(network_tags(style.prompt)) or any(network_tags(style.negative_prompt)):
                text = f"the style '{name}' names networks, and disable_extra_networks is true"
                self._findings.fault(f"/styles/{index}", text)

    def _apply(self, styles: list[Style]) -> dict[str, str] | None:
        """Return the prompts with the styles, or report faults and return None if a prompt is refused."""
        try:
            prompts = apply_styles(styles, self._content, self._limits.prompt_characters)
        except PromptTooLong:
            maximum = self._limits.prompt_characters
            self._findings.fault("/styles", f"with its styles, a prompt has more than {maximum} characters")
            return None
        faults = list(prompt_faults(prompts, self._limits))
        for fault in faults:
            self._findings.fault("/styles", f"with its styles, {fault.path} is refused: {fault.message}")
        return None if faults else prompts

    def _check_script(self) -> None:
        script = self._content.get("script_name")
        if isinstance(script, str) and script.lower() in _SCRIPTS_THAT_SPLIT_PROMPTS:
            text = f"a style of {STYLES_FILE} cannot be used with {script}; write its text into the prompt"
            self._findings.fault("/styles", text)
