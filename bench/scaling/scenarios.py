"""The scenarios: when callers submit tasks, and when spot instances are interrupted."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Bounds
from bench.scaling.simulation import Policy, Simulation

HOUR: Final = 3600.0
FIVE_GPUS: Final = Bounds()
SUBMITS_PER_SECOND: Final = 30.0
"""The default rate limit of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Tasks that are submitted to one runtime for some time; `runs` differ in what is random."""

    name: str
    seconds: float
    begin: Callable[[Simulation], None]
    bounds: Bounds = FIVE_GPUS
    runs: int = 20

    def create_simulation(self, policy: Policy, *, seed: int) -> Simulation:
        """Return a simulation of this scenario that has not begun yet."""
        simulation = Simulation(policy, self.bounds, seed=seed)
        self.begin(simulation)
        return simulation


def _quiet_day(simulation: Simulation) -> None:
    for _ in range(8):
        simulation.after(simulation.callers.uniform(0, 24 * HOUR), simulation.submit)


def _burst(count: int) -> Callable[[Simulation], None]:
    def begin(simulation: Simulation) -> None:
        start = simulation.callers.uniform(60, 120)
        for number in range(count):
            simulation.after(start + number / SUBMITS_PER_SECOND, simulation.submit)

    return begin


def _spot_loss(simulation: Simulation) -> None:
    _burst(3000)(simulation)
    # In the middle of the work: the burst starts after 60 to 120 s, and its GPUs 240 s later.
    simulation.after(60 + 240 + 180, lambda: simulation.interrupt_spot(10))


def _tasks_per_second(hour: float) -> float:
    """Return the rate of submits: few at night, peaks at 11 and 16 o'clock that need three to four GPUs."""
    peaks = sum(math.exp(-(((hour - peak) / 1.5) ** 2)) for peak in (11.0, 16.0))
    return 0.002 + 2.2 * peaks


def _working_day(simulation: Simulation) -> None:
    # Random times at the highest rate, of which as many are used as the rate of the hour requires.
    highest, at = 2.6, 0.0
    while (at := at + simulation.callers.expovariate(highest)) < 24 * HOUR:
        if simulation.callers.random() < _tasks_per_second(at / HOUR) / highest:
            simulation.after(at, simulation.submit)


def _fewer_callers(simulation: Simulation) -> None:
    """Let 25 callers repeat their task at once until 30 minutes have passed, and 15 until 90."""

    def submit_again(simulation: Simulation) -> None:
        callers = 25 if simulation.now < HOUR / 2 else 15
        if simulation.now < 1.5 * HOUR and simulation.backlog < callers:
            simulation.submit()

    simulation.on_finished = submit_again
    for _ in range(25):
        simulation.after(1, simulation.submit)


SCENARIOS: Final = (
    Scenario(name="a quiet day: 8 tasks, each the first one", seconds=24 * HOUR, begin=_quiet_day),
    Scenario(name="a burst of 300", seconds=600, begin=_burst(300)),
    Scenario(name="a burst of 3,000 on 20 GPUs", seconds=900, begin=_burst(3000), bounds=Bounds(maximum=20)),
    Scenario(
        name="the same, and 10 spot instances are interrupted in the middle",
        seconds=900,
        begin=_spot_loss,
        bounds=Bounds(maximum=20),
    ),
    Scenario(name="a working day", seconds=24 * HOUR, begin=_working_day, runs=2),
    Scenario(
        name="25 callers, then 15: three GPUs are needed, then two", seconds=1.5 * HOUR, begin=_fewer_callers
    ),
)
