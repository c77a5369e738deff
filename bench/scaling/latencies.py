"""The numbers that the simulation assumes, each with its source; those of GPUs and tasks are shared."""

from typing import Final

from tools.cost.assumptions import IMAGE_SECONDS
from tools.cost.boot import TARGET_SECONDS

# --- tasks and GPUs, the same for all policies -------------------------------------------------------------

JOB_SECONDS: Final = IMAGE_SECONDS
"""One image of 512 × 512: the average request of the cost table in the README of AWS's Guidance."""

JOB_VARIES: Final = (0.8, 1.2)
"""Each job takes this share of it at random, so that workers do not march in step."""

BOOT_SECONDS: Final = float(TARGET_SECONDS)
"""From the order of a GPU to its first job: docs/cost.md has the parts. It is the same for ECS and Karpenter,
which both take 15 to 60 s of it to launch an instance."""

# --- workers on ECS (container/consumer/liveness/scale_in_protection.py) -----------------------------------

PROTECTION_IDLE_SECONDS: Final = 5.0
"""A worker without a job stays protected from scale-in this long."""

PROTECTION_RELEASE_SECONDS: Final = 600.0
"""A worker under a continuous backlog may be stopped this often, at the end of a job: so it takes up to ten
minutes to leave."""

# --- CloudWatch and Application Auto Scaling ---------------------------------------------------------------

METRIC_PERIOD_SECONDS: Final = 60.0
"""SQS and Container Insights send their metrics once a minute (SQS developer guide, "Available CloudWatch
metrics"; CloudWatch user guide, "Container Insights")."""

METRIC_LATE_SECONDS: Final = (60.0, 120.0)
"""How long after the end of its minute a metric counts in an alarm: measured by users of both services."""

WAKER_SECONDS: Final = 2.0
"""From a submit to a changed desired count: SNS, Lambda and two calls of ECS."""

TRACKING_OUT_PERIODS: Final = 3
TRACKING_IN_PERIODS: Final = 15
TRACKING_IN_SHARE: Final = 0.9
"""The alarms of a target tracking policy: three minutes above the target, fifteen below nine tenths
of it (as Application Auto Scaling creates them)."""

# --- KEDA and Karpenter, as AWS's Guidance configures them (its chart's values.yaml) -----------------------

KEDA_POLL_SECONDS: Final = 1.0
"""`pollingInterval`: how often KEDA reads the queue to start from zero, or to stop all."""

KEDA_CONSOLIDATE_SECONDS: Final = 30.0
"""`consolidateAfter`: how long Karpenter keeps an empty instance."""

HPA_SYNC_SECONDS: Final = 15.0
"""From one replica on, Kubernetes' HorizontalPodAutoscaler decides; the other HPA numbers are its defaults
too (Kubernetes, "Horizontal Pod Autoscaling")."""

HPA_TOLERANCE: Final = 0.1
"""The desired count is kept if the queue is within this share of the target."""

HPA_STABILIZATION_SECONDS: Final = 300.0
"""Scaling in sets the most that was recommended within this time."""

HPA_MORE_PODS: Final = 4
"""At each sync, the count may grow by four or double."""
