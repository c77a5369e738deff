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
class Memory:
    """What the last check has remembered; `version` rises with every change."""

    surplus: Surplus | None = None
    version: int = 0


class OvertakenError(Exception):
    """Other checks of the same runtime were always faster."""


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


class Memories(Protocol):
    """What is remembered from check to check, by runtime."""

    def read(self, runtime: str) -> Memory:
        """Return what the last check has remembered."""

    def replace(self, runtime: str, memory: Memory) -> bool:
        """Store the next version; return False if another check has stored that version already."""


class Scaler:
    """Sets desired counts to what `domain.scaling` decides.

    `clock` returns seconds since the epoch. `check_again` has all runtimes checked after some seconds.
    """

    def __init__(
        self,
        runtimes: Mapping[str, RuntimeService],
        *,
        services: Services,
        depth: Callable[[str], Depth],
        memories: Memories,
        clock: Callable[[], float],
        check_again: Callable[[int], None],
    ) -> None:
        self._runtimes = runtimes
        self._services = services
        self._depth = depth
        self._memories = memories
        self._clock = clock
        self._check_again = check_again

    def check_each_minute(self) -> dict[str, int]:
        """Check all runtimes now and, while there are GPUs, several times before the next minute."""
        counts, errors = self._checked(self._runtimes)
        if any(counts.values()):
            for seconds in range(
                CHECK_SECONDS_WHILE_RUNNING, CHECK_EVERY_MINUTES * 60, CHECK_SECONDS_WHILE_RUNNING
            ):
                self._check_again(seconds)
        return _without_errors(counts, errors)

    def check_submitted(self, names: Iterable[str]) -> dict[str, int]:
        """Check runtimes to which tasks were submitted; unknown ones are skipped."""
        counts, errors = self._checked(names)
        if 0 in counts.values():
            self._check_again(CHECK_AGAIN_SECONDS)
        return _without_errors(counts, errors)

    def check_all(self) -> dict[str, int]:
        """Check all runtimes."""
        return _without_errors(*self._checked(self._runtimes))

    def _checked(self, names: Iterable[str]) -> tuple[dict[str, int], list[Exception]]:
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
            count = self._scale_unless_overtaken(name)
            if count is not None:
                return count
        raise OvertakenError(f"{_ATTEMPTS} checks of {name} were overtaken by other checks")

    def _scale_unless_overtaken(self, name: str) -> int | None:
        """Return the desired count, or None if another check has decided meanwhile.

        Then this one has to decide again, because it may be the only one that has counted the last messages.
        """
        runtime = self._runtimes[name]
        memory = self._memories.read(name)
        state = self._services.state(runtime.service)
        desired = state.desired
        depth = self._depth(runtime.queue_url)
        decision = decide(
            runtime.policy,
            desired=desired,
            backlog=depth.waiting + depth.in_flight,
            surplus=memory.surplus,
            at=int(self._clock()),
            updating=state.updating,
        )
        if decision == Decision(desired=desired, surplus=memory.surplus):
            return desired
        # Written first: of two checks at the same time only one sets a count. If this one ends before it has
        # set its count, the next check decides again.
        following = Memory(surplus=decision.surplus, version=memory.version + 1)
        if not self._memories.replace(name, following):
            return None
        if decision.desired == desired:
            return desired
        self._services.set_desired(runtime.service, decision.desired)
        facts = {
            "runtime": name,
            "from": desired,
            "to": decision.desired,
            "waiting": depth.waiting,
            "in_flight": depth.in_flight,
        }
        logger.info("scaled", extra=facts)
        # A check that began after the memory was replaced may have set its count before this one, whose call
        # was slow.
        return decision.desired if self._memories.read(name).version == following.version else None


def _without_errors(counts: dict[str, int], errors: list[Exception]) -> dict[str, int]:
    if errors:
        raise ExceptionGroup("runtimes could not be scaled", errors)
    return counts
