"""Replace names in a task's content by the spelling that SD Web UI lists, and report unknown ones."""

from collections.abc import Callable
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue, unknown_name_text
from container.consumer.engines.sdwebui.samplers import (
    NameMatch,
    find_sampler,
    find_scheduler,
    sampler_names,
    scheduler_names,
)
from runtimes.findings import Findings
from runtimes.sdwebui.listed_names import find_same_name

Content = dict[str, Any]

_USE_SAME: Final = frozenset(
    {"Use same sampler", "Use same scheduler", "ADetailer use same sampler", "ADetailer use same scheduler"}
)
"""What the page of SD Web UI or ADetailer sends for "the same as in the first pass"."""


class NameCorrector:
    """Corrects names in place; `findings` has a warning for each change and a fault for each unknown name."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.findings = Findings()
        self.catalogue = catalogue

    def correct_sampler(
        self, fields: Content, field: str, path: str, *, target_field: str, scheduler_field: str
    ) -> None:
        """Correct the sampler in `field` and store it in `target_field`.

        A scheduler at the end of its name is moved to `scheduler_field`. `path` is the JSON pointer of
        `fields`.
        """
        name = fields.get(field)
        if name in _USE_SAME:
            # SD Web UI's API takes None for it; ADetailer (below a path) understands its own text.
            fields |= {field: None} if path == "" else {}
            return
        if not is_name(name) or self.catalogue.samplers() is None:
            return
        match = self.catalogue.lookup(lambda catalogue: find_sampler(str(name), catalogue))
        if match is None:
            self.findings.fault(
                f"{path}/{field}", unknown_name_text("sampler", str(name), sampler_names(self.catalogue))
            )
        elif not match.is_exact or match.scheduler is not None:
            # A sampler and its scheduler in one name is an old form; it is sent as two names.
            fields[target_field] = match.name
            if match.scheduler is not None and not is_name(fields.get(scheduler_field)):
                fields[scheduler_field] = match.scheduler
            if not match.is_exact:
                self.findings.warn(f"{path}/{field}", f"taken as {_describe(match)}")

    def correct_scheduler(self, fields: Content, field: str, path: str) -> None:
        """Correct the scheduler in `field`; `path` is the JSON pointer of `fields`."""
        name = fields.get(field)
        if name in _USE_SAME:
            # SD Web UI's API takes None for it; ADetailer (below a path) understands its own text.
            fields |= {field: None} if path == "" else {}
            return
        if not is_name(name) or self.catalogue.schedulers() is None:
            return
        match = self.catalogue.lookup(lambda catalogue: find_scheduler(str(name), catalogue))
        if match is None:
            listed = scheduler_names(self.catalogue)
            self.findings.fault(f"{path}/{field}", unknown_name_text("scheduler", str(name), listed))
        elif not match.is_exact:
            fields[field] = match.name
            self.findings.warn(f"{path}/{field}", f"taken as {match.name}")

    def correct(
        self,
        container: Any,
        key: str | int,
        path: str,
        list_names: Callable[[], list[str] | None],
        kind: str = "",
        *,
        hint: str = "",
    ) -> None:
        """Replace the name at `container[key]` by its listed spelling; `path` is the name's JSON pointer.

        With a `kind` ("style"), a name that is not listed is a fault. Without one it stays as it is.
        `list_names` returns None if SD Web UI has no such list, and nothing is checked then.
        """
        name = str(container[key])
        if list_names() is None:
            return
        listed_name = self.catalogue.lookup(lambda _: find_same_name(name, list_names() or []))
        if listed_name is None:
            if kind:
                self.findings.fault(path, unknown_name_text(kind, name, list_names() or []) + hint)
        elif listed_name != name:
            container[key] = listed_name
            self.findings.warn(path, f"taken as {listed_name}")


def is_name(value: Any) -> bool:
    """Return whether a value is a text that is not empty."""
    return isinstance(value, str) and value != ""


def _describe(match: NameMatch) -> str:
    return match.name if match.scheduler is None else f"{match.name} with scheduler {match.scheduler}"
