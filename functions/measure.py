"""Metrics of the functions: a line of the embedded format each, which CloudWatch reads out of the log."""

import os
import sys
from typing import Final

from domain.clock import now
from domain.metrics import NAMESPACE, Metric, document

_NAMESPACE: Final = os.environ.get("METRICS_NAMESPACE") or NAMESPACE


def count(metric: Metric, **facts: str) -> None:
    """Count one; `facts` are the metric's dimensions, and what helps who reads the log."""
    sys.stdout.write(document(_NAMESPACE, {metric: 1}, at=now(), facts=facts) + "\n")
