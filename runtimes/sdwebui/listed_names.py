"""Compare names with those that SD Web UI lists, as the worker does before it sends them."""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

_SHOWN: Final = 100
_CUTOFF: Final = 0.5
_COMPARED: Final = 2000


def find_same_name(name: str, listed: Collection[str]) -> str | None:
    """Return the listed name that equals `name`, or the only one that differs in case, blanks, `_` or `-`."""
    if name in listed:
        return name
    alike = {one for one in listed if _normalize(one) == _normalize(name)}
    return alike.pop() if len(alike) == 1 else None


def nearest_listed(name: str, listed: Sequence[str]) -> str | None:
    """Return the listed name that is most similar to `name`, or None if none is similar."""
    plain = {_normalize(one): one for one in listed[:_COMPARED]}
    near = get_close_matches(_normalize(name[:_SHOWN]), plain, n=1, cutoff=_CUTOFF)
    return plain[near[0]] if near else None


def is_sampler(
    name: str, samplers: Collection[str], aliases: Collection[str], schedulers: Collection[str]
) -> bool:
    """Return whether a worker understands the name of a sampler, which may end with a scheduler's.

    `schedulers` are all forms of their names.
    """
    known = {_normalize(one) for one in (*samplers, *aliases)}
    listed = {_normalize(one) for one in samplers}
    return _normalize(name) in known or any(_normalize(base) in listed for base in _bases(name, schedulers))


def is_listed(name: str, listed: Collection[str]) -> bool:
    """Return whether a name is listed, perhaps in another case or with other blanks, `_` or `-`."""
    return name in listed or _normalize(name) in {_normalize(one) for one in listed}


def _bases(name: str, schedulers: Collection[str]) -> Iterator[str]:
    for scheduler in schedulers:
        if name.casefold().endswith(f" {scheduler.casefold()}"):
            yield name[: -len(scheduler) - 1]


def _normalize(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")
