"""Web UI's options, which all clients share and which can leak from one job into the next, as recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError, create_model

from local.fakes.sdwebui.errors import PYDANTIC_URL, Failure
from local.fakes.sdwebui.models import Checkpoints

CHECKPOINT = "sd_model_checkpoint"
MODULES = "forge_additional_modules"
RESTRICTED = frozenset({"api_enable_requests", "api_forbid_local_requests", "api_useragent"})
"""Options that only a POST to `/options` can set, and not `override_settings`."""


def is_forge_only(option: str) -> bool:
    """Return whether only Forge has this option, and AUTOMATIC1111 has not."""
    return option.startswith("forge_")


class Options:
    """The default options, and those that were set (`saved`, SD Web UI's config.json)."""

    def __init__(
        self,
        defaults: dict[str, Any],
        saved: dict[str, Any],
        checkpoints: Checkpoints,
        *,
        is_forge: bool = True,
    ) -> None:
        self.defaults = defaults
        self.saved = dict(saved)
        self._checkpoints = checkpoints
        self._is_forge = is_forge
        fields: dict[str, Any] = {
            name: ((type(value) if value is not None else Any) | None, value)
            if value is not None
            else (Any, None)
            for name, value in defaults.items()
        }
        self._response_model = create_model("Options", **fields)

    def __getitem__(self, name: str) -> Any:
        """Return the current value of an option."""
        return self.saved.get(name, self.defaults.get(name))

    def read(self) -> dict[str, Any]:
        """Return all options; raise Failure if any value has a wrong type."""
        try:
            response: dict[str, Any] = self._response_model.model_validate(self.saved).model_dump()
        except ValidationError as error:
            faults = [
                {
                    "type": fault["type"],
                    "loc": ("response", *fault["loc"]),
                    "msg": fault["msg"],
                    "input": fault["input"],
                    "url": PYDANTIC_URL + fault["type"],
                }
                for fault in error.errors(include_url=False, include_context=False)
            ]
            text = f"{len(faults)} validation errors:\n" + "".join(f"  {fault}\n" for fault in faults)
            raise Failure("ResponseValidationError", text, body=dict(self.saved)) from None
        return response

    def post(self, values: dict[str, Any]) -> None:
        """Set options one after the other, without a lock; those before a failing one stay set."""
        name = values.get(CHECKPOINT)
        if name is not None and self._checkpoints.find(name) is None:
            raise Failure("RuntimeError", f"model {name!r} not found")
        for option, value in values.items():
            self._set(option, value)

    @contextmanager
    def overridden(self, overrides: dict[str, Any] | None, *, restore: bool) -> Iterator[None]:
        """Set options for one job and restore them, as far as SD Web UI does.

        An unknown checkpoint is silently removed from `overrides`, and so from the echo of the request.
        Options that were never set before are not restored.
        """
        applied = overrides if overrides is not None else {}
        if self._checkpoints.find(applied.get(CHECKPOINT)) is None:
            applied.pop(CHECKPOINT, None)
        previous_values = self.options_to_restore(applied)
        try:
            for option, value in applied.items():
                if option not in RESTRICTED:
                    self._set(option, value)
            yield
        finally:
            if restore:
                for option, value in previous_values.items():
                    if option == CHECKPOINT:
                        self.post({option: value})
                    else:
                        self._set(option, value)

    def options_to_restore(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """Return the previous values of options that are restored after a job."""
        return {option: self.saved[option] for option in overrides if option in self.saved}

    def _set(self, option: str, value: Any) -> None:
        if option not in self.defaults and option not in self.saved:
            if self._is_forge:
                raise Failure("KeyError", repr(option))
            raise Failure("AttributeError", "'NoneType' object has no attribute 'do_not_save'")
        if option == MODULES and value is None:
            raise Failure("TypeError", "'NoneType' object is not iterable")
        self.saved[option] = value
        if option == CHECKPOINT:
            self._checkpoints.select(value)
