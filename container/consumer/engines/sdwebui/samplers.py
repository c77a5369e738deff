"""Interpret names of samplers and schedulers, because SD Web UI replaces unknown ones by its default."""

from collections.abc import Iterator
from dataclasses import dataclass

from container.consumer.engines.sdwebui.catalogue import Catalogue, same_name


@dataclass(frozen=True, slots=True)
class SamplerMatch:
    """A sampler as SD Web UI lists it; `scheduler` is set if the name included one."""

    sampler: str
    scheduler: str | None = None
    exact: bool = True
    """Whether SD Web UI itself interprets the name like this."""


def find_sampler(name: str, catalogue: Catalogue) -> SamplerMatch | None:
    """Return the sampler that a name refers to, or None.

    SD Web UI understands exact names, also followed by a scheduler (`DPM++ 2M Karras`), but not the aliases
    that older programs use.
    """
    samplers = catalogue.samplers() or []
    names = [entry["name"] for entry in samplers]
    if name in names:
        return SamplerMatch(name)
    for base, scheduler in _parts(name, catalogue):
        if base in names:
            return SamplerMatch(base, scheduler)
    if (same := same_name(name, names)) is not None:
        return SamplerMatch(same, exact=False)
    for entry in samplers:
        if same_name(name, [alias for alias in entry.get("aliases") or () if isinstance(alias, str)]):
            return SamplerMatch(entry["name"], exact=False)
    for base, scheduler in _parts(name, catalogue, exactly=False):
        if (same := same_name(base, names)) is not None:
            return SamplerMatch(same, scheduler, exact=False)
    return None


def find_scheduler(name: str, catalogue: Catalogue) -> SamplerMatch | None:
    """Return the scheduler that a name refers to (in `sampler`), or None."""
    schedulers = catalogue.schedulers() or []
    exact = [form for entry in schedulers for form in (entry.get("label"), entry["name"]) if form]
    if name in exact:
        return SamplerMatch(name)
    for entry in schedulers:
        if any(same_name(name, [form]) for form in _forms(entry)):
            return SamplerMatch(str(entry.get("label") or entry["name"]), exact=False)
    return None


def sampler_names(catalogue: Catalogue) -> list[str]:
    """Return the names of all samplers."""
    return [entry["name"] for entry in catalogue.samplers() or ()]


def scheduler_names(catalogue: Catalogue) -> list[str]:
    """Return the labels of all schedulers."""
    return [str(entry.get("label") or entry["name"]) for entry in catalogue.schedulers() or ()]


def _parts(name: str, catalogue: Catalogue, *, exactly: bool = True) -> Iterator[tuple[str, str]]:
    """Yield possible splits of the name into a sampler and a scheduler at its end."""
    for entry in catalogue.schedulers() or ():
        for form in _forms(entry):
            end = name[-len(form) - 1 :]
            if end == f" {form}" or (not exactly and end.casefold() == f" {form}".casefold()):
                yield name[: -len(form) - 1], str(entry.get("label") or entry["name"])


def _forms(entry: dict[str, object]) -> list[str]:
    aliases = entry.get("aliases")
    forms = (entry.get("label"), entry.get("name"), *(aliases if isinstance(aliases, list) else ()))
    return [form for form in forms if isinstance(form, str) and form]
