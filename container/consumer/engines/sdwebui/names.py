"""Correct the names in a content to those that SD Web UI lists, and collect what it does not list."""

from collections.abc import Callable
from typing import Any, Final

from container.consumer.engines.sdwebui.catalogue import Catalogue, same_name, unknown
from container.consumer.engines.sdwebui.samplers import (
    SamplerMatch,
    find_sampler,
    find_scheduler,
    sampler_names,
    scheduler_names,
)
from runtimes.findings import Findings

Content = dict[str, Any]

_SAME: Final = frozenset(
    {"Use same sampler", "Use same scheduler", "ADetailer use same sampler", "ADetailer use same scheduler"}
)


class Names:
    """Corrects names in place; `found` contains what was corrected or is unknown."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.found = Findings()
        self.catalogue = catalogue

    def sampler(self, holder: Content, field: str, path: str, *, goes_to: str, scheduler: str) -> None:
        """Correct a sampler; a scheduler in its name is moved to the field `scheduler`."""
        name = holder.get(field)
        if name in _SAME:
            holder |= {field: None} if path == "" else {}
            return
        if not is_name(name) or self.catalogue.samplers() is None:
            return
        meant = self.catalogue.lookup(lambda catalogue: find_sampler(str(name), catalogue))
        if meant is None:
            self.found.fault(f"{path}/{field}", unknown("sampler", str(name), sampler_names(self.catalogue)))
        elif not meant.exact or meant.scheduler is not None:
            # A sampler with its scheduler in one name is an old form; it is sent as two names.
            holder[goes_to] = meant.sampler
            if meant.scheduler is not None and not is_name(holder.get(scheduler)):
                holder[scheduler] = meant.scheduler
            if not meant.exact:
                self.found.warn(f"{path}/{field}", f"taken as {_shown(meant)}")

    def scheduler(self, holder: Content, field: str, path: str) -> None:
        """Correct a scheduler."""
        name = holder.get(field)
        if name in _SAME:
            holder |= {field: None} if path == "" else {}
            return
        if not is_name(name) or self.catalogue.schedulers() is None:
            return
        meant = self.catalogue.lookup(lambda catalogue: find_scheduler(str(name), catalogue))
        if meant is None:
            listed = scheduler_names(self.catalogue)
            self.found.fault(f"{path}/{field}", unknown("scheduler", str(name), listed))
        elif not meant.exact:
            holder[field] = meant.sampler
            self.found.warn(f"{path}/{field}", f"taken as {meant.sampler}")

    def correct(
        self,
        holder: Any,
        key: str | int,
        path: str,
        listed: Callable[[], list[str] | None],
        what: str = "",
        *,
        hint: str = "",
    ) -> None:
        """Replace a name by its listed form; if `what` is given, a name that is not listed is a fault."""
        name = str(holder[key])
        if listed() is None:
            return
        same = self.catalogue.lookup(lambda _: same_name(name, listed() or []))
        if same is None:
            if what:
                self.found.fault(path, unknown(what, name, listed() or []) + hint)
        elif same != name:
            holder[key] = same
            self.found.warn(path, f"taken as {same}")


def is_name(value: Any) -> bool:
    """Return whether a value is a name, and not empty."""
    return isinstance(value, str) and value != ""


def _shown(meant: SamplerMatch) -> str:
    return meant.sampler if meant.scheduler is None else f"{meant.sampler} with scheduler {meant.scheduler}"
