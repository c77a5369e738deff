"""The lists of SD Web UI that workers report, and the names of a content that they lack."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.body import pointer
from domain.errors import Fault
from runtimes.findings import MAX_HINTS, unlisted_fault
from runtimes.sdwebui.listed_names import is_listed, is_sampler, nearest_listed
from runtimes.sdwebui.mention import as_object, is_on
from runtimes.sdwebui.policy import ROUTING_KEYS
from runtimes.sdwebui.redundant_scripts import is_switched_off
from runtimes.sdwebui.script_sizes import script_units

SAMPLERS: Final = "samplers"
SCHEDULERS: Final = "schedulers"
UPSCALERS: Final = "upscalers"
SCRIPTS: Final = "scripts"
STYLES: Final = "styles"
EMBEDDINGS: Final = "embeddings"
SAMPLER_ALIASES: Final = "sampler_aliases"
SCHEDULER_ALIASES: Final = "scheduler_aliases"

SHOWN_LISTS: Final = (SAMPLERS, SCHEDULERS, UPSCALERS, SCRIPTS, STYLES, EMBEDDINGS)

Names = Mapping[str, Sequence[str]]


class _Place(NamedTuple):
    """A place of a content that names something of SD Web UI; `what` is its singular."""

    path: str
    what: str
    list: str
    name: Any


def unlisted_names(content: dict[str, Any], names: Names) -> Iterator[Fault]:
    """Yield a warning for each sampler, scheduler, style and script that the lists lack."""
    hints = 0
    for place in _places(content):
        listed = names.get(place.list)
        if listed is None or not isinstance(place.name, str) or not place.name:
            continue
        if not _is_known(place, listed, names):
            near = nearest_listed(place.name, listed) if hints < MAX_HINTS else None
            yield unlisted_fault(place.path, place.what, place.name, near)
            hints += 1


def _is_known(place: _Place, listed: Sequence[str], names: Names) -> bool:
    schedulers = [*names.get(SCHEDULERS, ()), *names.get(SCHEDULER_ALIASES, ())]
    match place.list:
        case "samplers":
            same = place.name.casefold().endswith("use same sampler")
            return same or is_sampler(place.name, listed, names.get(SAMPLER_ALIASES, ()), schedulers)
        case "schedulers":
            return place.name.casefold().endswith("use same scheduler") or is_listed(place.name, schedulers)
        case "scripts":
            return place.name.lower() in {each.lower() for each in listed}
    return is_listed(place.name, listed)


def _places(content: dict[str, Any]) -> Iterator[_Place]:
    field = "sampler_name" if content.get("sampler_name") else "sampler_index"
    yield _Place(f"/{field}", "sampler", SAMPLERS, content.get(field))
    yield _Place("/scheduler", "scheduler", SCHEDULERS, content.get("scheduler"))
    if is_on(content.get("enable_hr")):
        yield _Place("/hr_sampler_name", "sampler", SAMPLERS, content.get("hr_sampler_name"))
        yield _Place("/hr_scheduler", "scheduler", SCHEDULERS, content.get("hr_scheduler"))
    for path, unit in script_units(content, "adetailer"):
        if is_on(unit.get("ad_use_sampler")):
            yield _Place(f"{path}/ad_sampler", "sampler", SAMPLERS, unit.get("ad_sampler"))
            yield _Place(f"{path}/ad_scheduler", "scheduler", SCHEDULERS, unit.get("ad_scheduler"))
    styles = content.get("styles")
    for index, style in enumerate(styles if isinstance(styles, list) else ()):
        yield _Place(f"/styles/{index}", "style", STYLES, style)
    yield _Place("/script_name", "script", SCRIPTS, content.get("script_name"))
    for script, entry in as_object(content.get("alwayson_scripts")).items():
        if script not in ROUTING_KEYS and not is_switched_off(entry):
            yield _Place(f"/alwayson_scripts/{pointer(script)}", "script", SCRIPTS, script)
