"""Show that checking a request takes time that grows with its body only: `python -m bench.checking`."""

import sys
import time
import tracemalloc

from bench.hostile_bodies import SHAPES, Shape
from domain.body import parse_body
from domain.errors import InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api import v1alpha2

MEBIBYTE = 1 << 20
SIZES = (1, 2, 4)
MOST_RATIO = 6.0
"""Of 4 MiB to 1 MiB: 4 where linear, 16 where quadratic."""

WORTH_SECONDS = 0.1

RUNTIMES = Runtimes([Runtime("sdruntime", dynamic_model=True, model_filename="a.safetensors")])


def check(raw: bytes) -> str:
    """Check a body as the API does, and return what became of it."""
    try:
        submission = v1alpha2.decode(parse_body(raw), RUNTIMES)
    except InvalidTask as refused:
        return f"{refused.status} {refused.code.value}"
    return f"accepted, {len(submission.warnings)} warnings"


def seconds(shape: Shape, mebibytes: int) -> float:
    """Return the processor time that checking takes, the least of three."""
    raw = shape.body(mebibytes * MEBIBYTE)
    times = []
    for _ in range(3):
        begun = time.process_time()
        check(raw)
        times.append(time.process_time() - begun)
    return min(times)


def main() -> int:
    """Print a line for each shape; return 1 where one grows faster than its body."""
    slow = 0
    print(f"{'seconds at':<38}" + "".join(f"{size} MiB".rjust(9) for size in SIZES) + "    ratio     peak")
    for name, shape in SHAPES.items():
        times = [seconds(shape, size) for size in SIZES]
        ratio = times[-1] / max(times[0], 1e-6)
        raw = shape.body(SIZES[-1] * MEBIBYTE)
        tracemalloc.start()
        answer = check(raw)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        grows = ratio > MOST_RATIO and times[-1] > WORTH_SECONDS
        slow += grows
        shown = "".join(f"{one:9.3f}" for one in times)
        print(f"{name:<38}{shown}{ratio:9.1f}{peak / MEBIBYTE:7.0f} MiB  {answer}{'  SLOW' if grows else ''}")
    print(f"{len(SHAPES)} shapes, {slow} of which grow faster than the body")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
