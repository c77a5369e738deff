"""Metrics of the functions, written to the log in the embedded format that CloudWatch extracts."""

import os
import sys
from typing import Final

from domain.clock import now
from domain.metrics import NAMESPACE, Metric, document

_NAMESPACE: Final = os.environ.get("METRICS_NAMESPACE") or NAMESPACE


def count(*metrics: Metric, **facts: str) -> None:
    """Count 1 for each metric; `facts` are the dimensions and further fields of the log line."""
    values = dict.fromkeys(metrics, 1)
    sys.stdout.write(document(_NAMESPACE, values, at=now(), facts=facts) + "\n")
