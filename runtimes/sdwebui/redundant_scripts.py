"""Recognize scripts that add nothing to the content, as in requests copied from SD Web UI's page."""

from collections.abc import Callable
from typing import Any, Final

Content = dict[str, Any]

_SWITCHES: Final = ("enabled", "enable", "is_enabled", "ad_tab_enable")
_SWITCHING_MODELS: Final = ("ad_model",)
_OFF: Final = (None, False, 0, "", "false", "False")


def is_redundant(script: str, entry: Any, content: Content) -> bool:
    """Return whether an always-on script (by its name in lower case) can be left out without loss."""
    arguments = entry.get("args", []) if isinstance(entry, dict) else None
    if not isinstance(arguments, list):
        return False
    check = _REDUNDANCY_CHECKS.get(script)
    return check is not None and (not arguments or check(arguments, content))


def is_switched_off(entry: Any) -> bool:
    """Return whether an always-on script's entry has no arguments, or only such as switch it off.

    Extensions are switched on by their first argument or by a key of an object.
    """
    arguments = entry.get("args", []) if isinstance(entry, dict) else None
    if not isinstance(arguments, list):
        return False
    units = [argument for argument in arguments if isinstance(argument, dict)]
    return (
        not arguments or _is_off(arguments[0]) or (bool(units) and all(_unit_is_off(unit) for unit in units))
    )


def _unit_is_off(unit: Content) -> bool:
    switches = [unit[key] for key in _SWITCHES if key in unit]
    models = [str(unit[key]).lower() for key in _SWITCHING_MODELS if key in unit]
    return any(_is_off(switch) for switch in switches) or (bool(models) and set(models) <= {"", "none"})


def _is_off(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.lower() == "false")


def _is_always_redundant(_: list[Any], __: Content) -> bool:
    return True


def _is_never_redundant(_: list[Any], __: Content) -> bool:
    return False


def _repeats_refiner(arguments: list[Any], content: Content) -> bool:
    enabled, checkpoint, switch_at = _first_arguments(arguments, 3)
    if enabled in _OFF or str(checkpoint or "none").lower() == "none":
        return True
    same: bool = checkpoint == content.get("refiner_checkpoint")
    return same and bool(switch_at == content.get("refiner_switch_at"))


def _repeats_sampler(arguments: list[Any], content: Content) -> bool:
    steps, sampler, scheduler = _first_arguments(arguments, 3)
    return (
        steps in (None, content.get("steps"))
        and sampler in (None, content.get("sampler_name"))
        and scheduler in (None, content.get("scheduler"), *_words_for_automatic(content.get("scheduler")))
    )


def _words_for_automatic(scheduler: Any) -> tuple[Any, ...]:
    return ("Automatic", "automatic") if scheduler in (None, "", "Automatic", "automatic") else ()


def _repeats_seed(arguments: list[Any], content: Content) -> bool:
    seed, extras, subseed, strength, wide, high = _first_arguments(arguments, 6)
    # The page's own request has -1 here, and in the content the seed that was drawn for it.
    if seed not in (None, -1, content.get("seed", -1)):
        return False
    if extras in _OFF:
        return not content.get("subseed_strength") and not _resizes_seed(content)
    return (
        subseed in (None, -1, content.get("subseed", -1))
        and (strength or 0) == (content.get("subseed_strength") or 0)
        and max(wide or 0, 0) == max(content.get("seed_resize_from_w") or 0, 0)
        and max(high or 0, 0) == max(content.get("seed_resize_from_h") or 0, 0)
    )


def _resizes_seed(content: Content) -> bool:
    return any((content.get(name) or 0) > 0 for name in ("seed_resize_from_w", "seed_resize_from_h"))


def _first_arguments(arguments: list[Any], count: int) -> list[Any]:
    return [*arguments, *[None] * count][:count]


_REDUNDANCY_CHECKS: Final[dict[str, Callable[[list[Any], Content], bool]]] = {
    "api payload": _is_always_redundant,
    "extra options": _is_never_redundant,
    "refiner": _repeats_refiner,
    "sampler": _repeats_sampler,
    "seed": _repeats_seed,
}
REDUNDANT_SCRIPTS: Final = frozenset(_REDUNDANCY_CHECKS)
"""Scripts, in lower case, that are left out with a warning if they add nothing."""
