"""Check the backlog of runtimes and set the desired count of their services."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from adapters.queues import Depth
from domain.scaling import (
    CHECK_AGAIN_SECONDS,
    CHECK_EVERY_MINUTES,
    CHECK_SECONDS_WHILE_RUNNING,
    Decision,
    ScalingPolicy,
    Surplus,
    decide,
)
from functions.log import logger

# At most three checks run at the same time: two for submitted tasks, and the scheduled one.
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeService:
    """The service of a runtime, its queue, and the policy that it scales by."""

    service: str
    queue_url: str
    policy: ScalingPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingState:
    """What one check of a runtime stores for the next one; `version` rises with every change."""

    surplus: Surplus | None = None
    version: int = 0


class TooManyConflictsError(Exception):
    """Every attempt conflicted with another check of the same runtime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """The desired count of a service, and whether ECS is replacing its workers by others."""

    desired: int
    updating: bool = False


class Services(Protocol):
    """The ECS services."""

    def state(self, service: str) -> ServiceState:
        """Return the state of a service; raise LookupError if there is no such service."""

    def set_desired(self, service: str, count: int) -> None:
        """Set the desired count of a service."""


class ScalingStates(Protocol):
    """The stored scaling state of each runtime."""

    def read(self, runtime: str) -> ScalingState:
        """Return the stored state, an empty one before the first check."""

    def replace(self, runtime: str, state: ScalingState) -> bool:
        """Store the next version; return False if another check has stored that version already."""


class Scaler:
    """Sets desired counts to what `domain.scaling` decides.

    `clock` returns seconds since the epoch. `check_again` schedules a check of all runtimes after a
    number of seconds.
    """

    def __init__(
        self,
        runtimes: Mapping[str, RuntimeService],
        *,
        services: Services,
        depth: Callable[[str], Depth],
        states: ScalingStates,
        clock: Callable[[], float],
        check_again: Callable[[int], None],
    ) -> None:
        self._runtimes = runtimes
        self._services = services
        self._depth = depth
        self._states = states
        self._clock = clock
        self._check_again = check_again

    def check_each_minute(self) -> dict[str, int]:
        """Check all runtimes now and, while there are GPUs, several times before the next minute."""
        counts, errors = self._check(self._runtimes)
        if any(counts.values()):
            for seconds in range(
                CHECK_SECONDS_WHILE_RUNNING, CHECK_EVERY_MINUTES * 60, CHECK_SECONDS_WHILE_RUNNING
            ):
                self._check_again(seconds)
        return _without_errors(counts, errors)

    def check_submitted(self, names: Iterable[str]) -> dict[str, int]:
        """Check runtimes to which tasks were submitted; unknown ones are skipped."""
        counts, errors = self._check(names)
        if 0 in counts.values():
            self._check_again(CHECK_AGAIN_SECONDS)
        return _without_errors(counts, errors)

    def check_all(self) -> dict[str, int]:
        """Check all runtimes."""
        return _without_errors(*self._check(self._runtimes))

    def _check(self, names: Iterable[str]) -> tuple[dict[str, int], list[Exception]]:
        """Return the desired counts, and the errors of the runtimes that could not be checked."""
        counts: dict[str, int] = {}
        errors: list[Exception] = []
        for name in dict.fromkeys(names):
            if name in self._runtimes:
                try:
                    counts[name] = self._scale(name)
                except Exception as error:  # noqa: BLE001 - raised after the other runtimes were checked
                    errors.append(error)
        return counts, errors

    def _scale(self, name: str) -> int:
        for _ in range(_ATTEMPTS):
            count = self._scale_unless_conflict(name)
            if count is not None:
                return count
        raise TooManyConflictsError(f"{_ATTEMPTS} checks of {name} conflicted with other checks")

    def _scale_unless_conflict(self, name: str) -> int | None:
        """Return the desired count, or None if another check has stored a state meanwhile.

        Then the caller has to try again, because it may be the only one that has counted the last messages.
        """
        runtime = self._runtimes[name]
        state = self._states.read(name)
        service = self._services.state(runtime.service)
        desired = service.desired
        depth = self._depth(runtime.queue_url)
        decision = decide(
            runtime.policy,
            desired=desired,
            backlog=depth.waiting + depth.in_flight,
            surplus=state.surplus,
            at=int(self._clock()),
            updating=service.updating,
        )
        if decision == Decision(desired=desired, surplus=state.surplus):
            return desired
        # The state is written first, so that of two checks at the same time only one sets a count. If this
        # process ends before it has set the count, the next check decides again.
        next_state = ScalingState(surplus=decision.surplus, version=state.version + 1)
        if not self._states.replace(name, next_state):
            return None
        if decision.desired == desired:
            return desired
        self._services.set_desired(runtime.service, decision.desired)
        fields = {
            "runtime": name,
            "from": desired,
            "to": decision.desired,
            "waiting": depth.waiting,
            "in_flight": depth.in_flight,
        }
        logger.info("changed the desired count", extra=fields)
        # Another check that began after the state was replaced may have set its count before this one,
        # whose call was slow.
        return decision.desired if self._states.read(name).version == next_state.version else None


def _without_errors(counts: dict[str, int], errors: list[Exception]) -> dict[str, int]:
    if errors:
        raise ExceptionGroup("runtimes could not be scaled", errors)
    return counts
