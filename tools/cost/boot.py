"""The steps from a first task, when no GPU runs, to its image: how long each takes, and the source."""

from dataclasses import dataclass
from typing import Final

from tools.cost import assumptions

TARGET_SECONDS: Final = 240

Range = tuple[float, float]
"""Smallest and largest value."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step and how long it takes, at least and at most."""

    name: str
    public_image: Range
    """Seconds with an image of 8 GB from a public registry."""
    own_image: Range
    """Seconds with an image of 4 GB from ECR in the account."""
    source: str


STEPS: Final = (
    Step(
        "submit, SNS, SQS, the scaler, ECS's new desired count",
        (1, 2),
        (1, 2),
        "calls to AWS",
    ),
    Step(
        "ECS buys an instance, it registers, and pulls begin",
        (43, 88),
        (43, 88),
        "measured by others (below) with g6.xlarge on Managed Instances",
    ),
    Step(
        "models from S3 to the instance's disk",
        (0, 0),
        (0, 0),
        "4.3 GB in 29 to 41 s, measured by others, beside the pull of the image, which takes longer",
    ),
    Step(
        "the image of the inference server is pulled and unpacked",
        (180, 600),
        (60, 130),
        "8 GB from a public registry at 12 (measured by others) to 45 MB/s (assumed), or 4 GB from ECR in "
        "the same region at 31 (measured by others onto EBS, 42 at best) to 67 MB/s (assumed, onto NVMe)",
    ),
    Step(
        "the inference server starts and loads the checkpoint",
        (30, 90),
        (30, 60),
        "estimated: Python's imports and 4.3 GB to the GPU; fewer packages in a smaller image",
    ),
    Step(
        "warm-up job: CUDA's kernels, memory, the first pass of each layer",
        (3, 8),
        (3, 8),
        "estimated",
    ),
    Step("the first image", (2, 5), (2, 5), "a job of 1.5 s, its images stored, the callback"),
)


def expected_seconds(steps: tuple[Step, ...] = STEPS) -> float:
    """Return how long the start takes with an image in ECR: the sum of the middles of all steps."""
    return sum(sum(step.own_image) / 2 for step in steps)


def paid_seconds(*, cooldown: float, idle_instance: float) -> float:
    """Return the paid seconds of a GPU that starts for a single task and stops after its cooldown."""
    return (
        expected_seconds() - assumptions.ORDER_SECONDS + cooldown + assumptions.STOP_SECONDS + idle_instance
    )
