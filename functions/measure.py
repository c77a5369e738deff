"""Metrics of the functions: a line of the embedded format each, which CloudWatch reads out of the log."""

import os
import sys
from typing import Final

from domain.clock import now
from domain.metrics import NAMESPACE, Metric, document

_NAMESPACE: Final = os.environ.get("METRICS_NAMESPACE") or NAMESPACE


def count(*metrics: Metric, **facts: str) -> None:
    """Count one of each; `facts` are the metrics' dimensions, and what helps who reads the log."""
    values = dict.fromkeys(metrics, 1)
    sys.stdout.write(document(_NAMESPACE, values, at=now(), facts=facts) + "\n")
