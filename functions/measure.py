"""Metrics of the functions, written to the log in the embedded format that CloudWatch extracts."""

import os
import sys
from typing import Final

from domain.clock import now
from domain.metrics import NAMESPACE, Metric, emf_line

_NAMESPACE: Final = os.environ.get("METRICS_NAMESPACE") or NAMESPACE


def count(*metrics: Metric, **properties: str) -> None:
    """Count 1 for each metric; `properties` are the dimensions and further fields of the log line."""
    values = dict.fromkeys(metrics, 1)
    sys.stdout.write(emf_line(_NAMESPACE, values, at=now(), properties=properties) + "\n")
