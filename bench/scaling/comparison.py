"""The policies under comparison, and their results in a scenario."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Outcome
from bench.scaling.policies import Keda, StepScaling, TargetTracking
from bench.scaling.scenarios import Scenario
from bench.scaling.simulation import Policy
from bench.scaling.this_project import ThisProject
from tools.cost.prices import gpu_dollars_per_hour

INSTANCE: Final = "g6.xlarge"

THIS_PROJECT: Final = "this project"
KEDA: Final = "KEDA, as in AWS's Guidance"
STEP_SCALING: Final = "step scaling, formerly"
TARGET_TRACKING: Final = "target tracking"

POLICIES: Final[Mapping[str, Callable[[int], Policy]]] = {
    THIS_PROJECT: lambda seconds: ThisProject(cooldown_seconds=seconds),
    KEDA: lambda seconds: Keda(cooldown_seconds=seconds),
    STEP_SCALING: lambda seconds: StepScaling(cooldown_seconds=seconds),
    TARGET_TRACKING: lambda seconds: TargetTracking(cooldown_seconds=seconds),
}

COMPARED: Final = (
    (THIS_PROJECT, 300),
    (KEDA, 300),
    (THIS_PROJECT, 60),
    (KEDA, 60),
    (STEP_SCALING, 300),
    (TARGET_TRACKING, 300),
)
"""Policies with their cooldowns: the default here, and the one in the chart of AWS's Guidance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The average run of a policy; `p50`, `p95` and `longest` are seconds from submit to image."""

    p50: float
    p95: float
    longest: float
    gpu_hours: float
    idle_hours: float
    dollars_for_1000: float
    needed_gpus_stopped: float
    lowest_desired: int | None

    @classmethod
    def from_outcome(cls, outcome: Outcome, *, runs: int) -> "Result":
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
            needed_gpus_stopped=outcome.needed_gpus_stopped / runs,
            lowest_desired=outcome.lowest_desired,
        )


def simulate(scenario: Scenario, policy: str, cooldown: int, *, runs: int | None = None) -> Result:
    """Run a scenario several times with one policy; the runs of all policies have the same tasks."""
    runs = runs or scenario.runs
    outcome = Outcome()
    for seed in range(runs):
        outcome.add(
            scenario.create_simulation(POLICIES[policy](cooldown), seed=seed).run(seconds=scenario.seconds)
        )
    return Result.from_outcome(outcome, runs=runs)
