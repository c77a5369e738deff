"""The policies under comparison, and their results in a scenario."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Outcome
from bench.scaling.own import Own
from bench.scaling.policies import Former, Keda, TargetTracking
from bench.scaling.scenarios import Scenario
from bench.scaling.simulation import Policy
from tools.cost.prices import gpu_dollars_per_hour

INSTANCE: Final = "g6.xlarge"

OURS: Final = "this project"
KEDA: Final = "KEDA, as in AWS's Guidance"
FORMER: Final = "step scaling, formerly"
TRACKING: Final = "target tracking"

POLICIES: Final[Mapping[str, Callable[[int], Policy]]] = {
    OURS: lambda seconds: Own(cooldown_seconds=seconds),
    KEDA: lambda seconds: Keda(cooldown_seconds=seconds),
    FORMER: lambda seconds: Former(cooldown_seconds=seconds),
    TRACKING: lambda seconds: TargetTracking(cooldown_seconds=seconds),
}

COMPARED: Final = ((OURS, 300), (KEDA, 300), (OURS, 60), (KEDA, 60), (FORMER, 300), (TRACKING, 300))
"""Policies with their cooldowns: the default here, and the one in the chart of AWS's Guidance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The average run of a policy in a scenario."""

    p50: float
    p95: float
    longest: float
    gpu_hours: float
    idle_hours: float
    dollars_for_1000: float
    taken: float
    lowest: int | None

    @classmethod
    def of(cls, outcome: Outcome, *, runs: int) -> "Result":
        """Return the result of all runs together."""
        seconds = sorted(outcome.seconds)
        hours = outcome.gpu_seconds / 3600
        return cls(
            p50=seconds[len(seconds) // 2],
            p95=seconds[len(seconds) * 95 // 100],
            longest=seconds[-1],
            gpu_hours=hours / runs,
            idle_hours=outcome.idle_seconds / 3600 / runs,
            dollars_for_1000=hours * gpu_dollars_per_hour(INSTANCE) / len(seconds) * 1000,
            taken=outcome.taken / runs,
            lowest=outcome.lowest,
        )


def simulate(scenario: Scenario, policy: str, cooldown: int, *, runs: int | None = None) -> Result:
    """Run a scenario several times with one policy; the runs of all policies have the same tasks."""
    runs = runs or scenario.runs
    outcome = Outcome()
    for seed in range(runs):
        outcome.add(scenario.world(POLICIES[policy](cooldown), seed=seed).run(seconds=scenario.seconds))
    return Result.of(outcome, runs=runs)
