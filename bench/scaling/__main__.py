"""Print a table for each scenario, with a line for each policy: `python -m bench.scaling`."""

import sys

from bench.scaling.comparison import COMPARED, INSTANCE, KEDA, OURS, Result, simulate
from bench.scaling.latencies import BOOT_SECONDS, JOB_SECONDS
from bench.scaling.scenarios import SCENARIOS
from tools.cost.prices import gpu_dollars_per_hour

MOST_GPU_HOURS = 1.05
"""Of KEDA's."""

SECONDS_OF_TOLERANCE = 1.0
"""Of p95; KEDA's poll is a second late at most, and our calls take a second."""

HEADER = (
    f"{'':28}{'cooldown':>8}{'p50':>8}{'p95':>8}{'longest':>9}{'GPU h':>9}{'idle':>8}{'$/1,000':>10}"
    "  wrongly taken in"
)

SUMMARY = (
    "At equal cooldown, this project's p95 is not worse than KEDA's in any scenario, with at most 5 %\n"
    "more GPU hours and no GPU taken in while its work waits."
)


def line(policy: str, cooldown: int, result: Result) -> str:
    """Return a row of the table."""
    taken = "-" if not result.taken else f"{result.taken:.1f} GPUs, down to {result.lowest}"
    return (
        f"  {policy:26}{cooldown:6} s{result.p50:8.1f}{result.p95:8.1f}{result.longest:9.1f}"
        f"{result.gpu_hours:9.2f}{result.idle_hours:8.2f}{result.dollars_for_1000:10.2f}  {taken}"
    )


def worse(ours: Result, keda: Result) -> list[str]:
    """Return how this project's policy is worse than KEDA with the same cooldown."""
    checks = {
        f"p95 {ours.p95:.1f} s": ours.p95 > keda.p95 + SECONDS_OF_TOLERANCE,
        f"{ours.gpu_hours / keda.gpu_hours - 1:+.0%} GPU hours": ours.gpu_hours
        > keda.gpu_hours * MOST_GPU_HOURS,
        "GPUs were taken in while their work waited": ours.taken > 0,
    }
    return [text for text, failed in checks.items() if failed]


def main() -> int:
    """Print all tables; return 1 if this project's policy is worse than KEDA anywhere."""
    print(
        f"Seconds from submit to image; {BOOT_SECONDS:.0f} s to start a GPU, {JOB_SECONDS} s for a job, "
        f"one GPU for 10 tasks;\n{INSTANCE} at ${gpu_dollars_per_hour(INSTANCE):.3f} an hour. GPU hours "
        "and idle hours of an average run.\n"
        "bench/scaling/latencies.py has all assumptions with their sources.\n"
    )
    found = []
    for scenario in SCENARIOS:
        results = {each: simulate(scenario, *each) for each in COMPARED}
        print(f"{scenario.name} ({scenario.runs} runs)\n{HEADER}")
        print("\n".join(line(*each, result) for each, result in results.items()), end="\n\n")
        for cooldown in (300, 60):
            faults = worse(results[OURS, cooldown], results[KEDA, cooldown])
            found += [f"{scenario.name}, cooldown {cooldown} s: {fault}" for fault in faults]
    print("\n".join(found) or SUMMARY)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
