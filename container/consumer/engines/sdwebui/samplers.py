"""Find the sampler or scheduler that a name refers to.

SD Web UI replaces a name that it does not know by its default, and responds 200.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from container.consumer.engines.sdwebui.catalogue import Catalogue
from runtimes.sdwebui.listed_names import find_same_name


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The sampler or scheduler that a name refers to."""

    name: str
    """The name in SD Web UI's list."""
    scheduler: str | None = None
    """The scheduler that the name of a sampler ends with, if it does."""
    is_exact: bool = True
    """Whether SD Web UI itself understands the name, so that nothing has to be corrected."""


def find_sampler(name: str, catalogue: Catalogue) -> NameMatch | None:
    """Return the sampler that a name refers to, or None.

    SD Web UI understands exact names, also followed by a scheduler (`DPM++ 2M Karras`), but not the aliases
    that older programs use.
    """
    samplers = catalogue.samplers() or []
    names = [entry["name"] for entry in samplers]
    if name in names:
        return NameMatch(name)
    for base, scheduler in _splits(name, catalogue):
        if base in names:
            return NameMatch(base, scheduler)
    if (sampler := find_same_name(name, names)) is not None:
        return NameMatch(sampler, is_exact=False)
    for entry in samplers:
        if find_same_name(name, [alias for alias in entry.get("aliases") or () if isinstance(alias, str)]):
            return NameMatch(entry["name"], is_exact=False)
    for base, scheduler in _splits(name, catalogue, ignore_case=True):
        if (sampler := find_same_name(base, names)) is not None:
            return NameMatch(sampler, scheduler, is_exact=False)
    return None


def find_scheduler(name: str, catalogue: Catalogue) -> NameMatch | None:
    """Return the scheduler that a name refers to, or None. SD Web UI understands its name and its label."""
    schedulers = catalogue.schedulers() or []
    exact_names = [
        spelling for entry in schedulers for spelling in (entry.get("label"), entry["name"]) if spelling
    ]
    if name in exact_names:
        return NameMatch(name)
    for entry in schedulers:
        if any(find_same_name(name, [spelling]) for spelling in _spellings(entry)):
            return NameMatch(str(entry.get("label") or entry["name"]), is_exact=False)
    return None


def sampler_names(catalogue: Catalogue) -> list[str]:
    """Return the names of all samplers that SD Web UI lists."""
    return [entry["name"] for entry in catalogue.samplers() or ()]


def scheduler_names(catalogue: Catalogue) -> list[str]:
    """Return the labels of all schedulers that SD Web UI lists, or names where it gives no label."""
    return [str(entry.get("label") or entry["name"]) for entry in catalogue.schedulers() or ()]


def _splits(name: str, catalogue: Catalogue, *, ignore_case: bool = False) -> Iterator[tuple[str, str]]:
    """Yield possible splits of the name into a sampler and a scheduler at its end."""
    for entry in catalogue.schedulers() or ():
        for spelling in _spellings(entry):
            end = name[-len(spelling) - 1 :]
            if end == f" {spelling}" or (ignore_case and end.casefold() == f" {spelling}".casefold()):
                yield name[: -len(spelling) - 1], str(entry.get("label") or entry["name"])


def _spellings(entry: dict[str, object]) -> list[str]:
    aliases = entry.get("aliases")
    spellings = (entry.get("label"), entry.get("name"), *(aliases if isinstance(aliases, list) else ()))
    return [spelling for spelling in spellings if isinstance(spelling, str) and spelling]
