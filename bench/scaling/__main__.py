"""Print a table for each scenario, with a line for each policy: `python -m bench.scaling`."""

import sys

from bench.scaling.comparison import COMPARED, INSTANCE, KEDA, THIS_PROJECT, Result, simulate
from bench.scaling.latencies import BOOT_SECONDS, JOB_SECONDS
from bench.scaling.scenarios import SCENARIOS
from tools.cost.prices import gpu_dollars_per_hour

MAX_GPU_HOURS_RATIO = 1.05
"""This project may use this many times KEDA's GPU hours."""

P95_TOLERANCE_SECONDS = 1.0
"""KEDA notices a task within a second, and this project's scaler needs about a second for its calls."""

HEADER = (
    f"{'':28}{'cooldown':>8}{'p50':>8}{'p95':>8}{'longest':>9}{'GPU h':>9}{'idle':>8}{'$/1,000':>10}"
    "  needed GPUs stopped"
)

SUMMARY = (
    "At equal cooldown, this project's p95 is not worse than KEDA's in any scenario, with at most 5 %\n"
    "more GPU hours and no GPU stopped while the backlog needs it."
)


def table_row(policy: str, cooldown: int, result: Result) -> str:
    """Return a row of the table."""
    stopped = (
        "-"
        if not result.needed_gpus_stopped
        else f"{result.needed_gpus_stopped:.1f} GPUs, down to {result.lowest_desired}"
    )
    return (
        f"  {policy:26}{cooldown:6} s{result.p50:8.1f}{result.p95:8.1f}{result.longest:9.1f}"
        f"{result.gpu_hours:9.2f}{result.idle_hours:8.2f}{result.dollars_for_1000:10.2f}  {stopped}"
    )


def find_regressions(own: Result, keda: Result) -> list[str]:
    """Return how this project's policy is worse than KEDA with the same cooldown."""
    checks = {
        f"p95 {own.p95:.1f} s": own.p95 > keda.p95 + P95_TOLERANCE_SECONDS,
        f"{own.gpu_hours / keda.gpu_hours - 1:+.0%} GPU hours": own.gpu_hours
        > keda.gpu_hours * MAX_GPU_HOURS_RATIO,
        "GPUs were stopped while the backlog needed them": own.needed_gpus_stopped > 0,
    }
    return [text for text, failed in checks.items() if failed]


def main() -> int:
    """Print all tables; return 1 if this project's policy is worse than KEDA in any scenario."""
    print(
        f"Seconds from submit to image; {BOOT_SECONDS:.0f} s to start a GPU, {JOB_SECONDS} s for a job, "
        f"one GPU for 10 tasks;\n{INSTANCE} at ${gpu_dollars_per_hour(INSTANCE):.3f} an hour. GPU hours "
        "and idle hours of an average run.\n"
        "bench/scaling/latencies.py has all assumptions with their sources.\n"
    )
    all_regressions = []
    for scenario in SCENARIOS:
        results = {each: simulate(scenario, *each) for each in COMPARED}
        print(f"{scenario.name} ({scenario.runs} runs)\n{HEADER}")
        print("\n".join(table_row(*each, result) for each, result in results.items()), end="\n\n")
        for cooldown in (300, 60):
            regressions = find_regressions(results[THIS_PROJECT, cooldown], results[KEDA, cooldown])
            all_regressions += [f"{scenario.name}, cooldown {cooldown} s: {each}" for each in regressions]
    print("\n".join(all_regressions) or SUMMARY)
    return bool(all_regressions)


if __name__ == "__main__":
    sys.exit(main())
