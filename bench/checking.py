"""Measure that the time to check a request grows only linearly with its body: `python -m bench.checking`."""

import sys
import time
import tracemalloc

from bench.hostile_bodies import TEMPLATES, BodyTemplate
from domain.body import parse_body
from domain.errors import InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api import v1alpha2

MEBIBYTE = 1 << 20
SIZES = (1, 2, 4)
MAX_RATIO = 6.0
"""Of the time for 4 MiB to that for 1 MiB, which is 4 if the time is linear and 16 if it is quadratic."""

MIN_SECONDS = 0.1
"""Shorter times are not compared, because their ratio is noise."""

RUNTIMES = Runtimes([Runtime("sdruntime", dynamic_model=True, model_filename="a.safetensors")])


def check(raw: bytes) -> str:
    """Check a body as the API does, and return a summary of the result."""
    try:
        submission = v1alpha2.decode(parse_body(raw), RUNTIMES)
    except InvalidTask as error:
        return f"{error.status} {error.code.value}"
    return f"accepted, {len(submission.warnings)} warnings"


def check_seconds(template: BodyTemplate, mebibytes: int) -> float:
    """Return the shortest of three processor times for checking a body."""
    raw = template.body(mebibytes * MEBIBYTE)
    times = []
    for _ in range(3):
        started_at = time.process_time()
        check(raw)
        times.append(time.process_time() - started_at)
    return min(times)


def main() -> int:
    """Print a line for each kind of body; return 1 if the time for any grows faster than the body."""
    slow_count = 0
    print(f"{'seconds for':<38}" + "".join(f"{size} MiB".rjust(9) for size in SIZES) + "    ratio   memory")
    for name, template in TEMPLATES.items():
        times = [check_seconds(template, size) for size in SIZES]
        ratio = times[-1] / max(times[0], 1e-6)
        raw = template.body(SIZES[-1] * MEBIBYTE)
        tracemalloc.start()
        result = check(raw)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        is_slow = ratio > MAX_RATIO and times[-1] > MIN_SECONDS
        slow_count += is_slow
        columns = "".join(f"{each:9.3f}" for each in times)
        print(
            f"{name:<38}{columns}{ratio:9.1f}{peak / MEBIBYTE:7.0f} MiB  {result}"
            f"{'  SLOW' if is_slow else ''}"
        )
    print(f"{len(TEMPLATES)} kinds of bodies; for {slow_count} of them the time grows faster than the body")
    return bool(slow_count)


if __name__ == "__main__":
    sys.exit(main())
