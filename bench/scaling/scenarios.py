"""What callers do, and what happens to the instances."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Bounds
from bench.scaling.simulation import Policy, World

HOUR: Final = 3600.0
FIVE_GPUS: Final = Bounds()
SUBMITS_PER_SECOND: Final = 30.0
"""The default rate limit of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Tasks that are submitted to one runtime for some time; `runs` differ in what is random."""

    name: str
    seconds: float
    begin: Callable[[World], None]
    bounds: Bounds = FIVE_GPUS
    runs: int = 20

    def world(self, policy: Policy, *, seed: int) -> World:
        """Return a world in which this scenario is about to begin."""
        world = World(policy, self.bounds, seed=seed)
        self.begin(world)
        return world


def _quiet_day(world: World) -> None:
    for _ in range(8):
        world.after(world.callers.uniform(0, 24 * HOUR), world.submit)


def _burst(count: int) -> Callable[[World], None]:
    def begin(world: World) -> None:
        start = world.callers.uniform(60, 120)
        for number in range(count):
            world.after(start + number / SUBMITS_PER_SECOND, world.submit)

    return begin


def _spot_loss(world: World) -> None:
    _burst(3000)(world)
    world.after(60 + 240 + 180, lambda: world.lose(10))


def _rate(hour: float) -> float:
    """Return tasks a second: few at night, two peaks at 11 and 16 o'clock that need three to four GPUs."""
    peaks = sum(math.exp(-(((hour - peak) / 1.5) ** 2)) for peak in (11.0, 16.0))
    return 0.002 + 2.2 * peaks


def _working_day(world: World) -> None:
    highest, at = 2.6, 0.0
    while (at := at + world.callers.expovariate(highest)) < 24 * HOUR:
        if world.callers.random() < _rate(at / HOUR) / highest:
            world.after(at, world.submit)


def _fewer_callers(world: World) -> None:
    """Let 25 callers repeat their task at once until 30 minutes have passed, and 15 until 90."""

    def again(world: World) -> None:
        callers = 25 if world.now < HOUR / 2 else 15
        if world.now < 1.5 * HOUR and world.backlog < callers:
            world.submit()

    world.finished = again
    for _ in range(25):
        world.after(1, world.submit)


SCENARIOS: Final = (
    Scenario(name="a quiet day: 8 tasks, each the first one", seconds=24 * HOUR, begin=_quiet_day),
    Scenario(name="a burst of 300", seconds=600, begin=_burst(300)),
    Scenario(name="a burst of 3,000 on 20 GPUs", seconds=900, begin=_burst(3000), bounds=Bounds(maximum=20)),
    Scenario(
        name="the same, and spot takes 10 of them in the middle",
        seconds=900,
        begin=_spot_loss,
        bounds=Bounds(maximum=20),
    ),
    Scenario(name="a working day", seconds=24 * HOUR, begin=_working_day, runs=2),
    Scenario(
        name="25 callers, then 15: three GPUs are wanted, then two", seconds=1.5 * HOUR, begin=_fewer_callers
    ),
)
