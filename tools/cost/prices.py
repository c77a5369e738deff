"""AWS's list prices in US dollars, the only place that has any; docs/cost.md shows them.

`tools.cost.sources` says what each was compared with. Spot prices change, so they are assumed (`SPOT_SHARE`).
"""

from dataclasses import dataclass
from typing import Final

REGION: Final = "us-east-1"
DATE: Final = "November 2026"

HOURS_PER_MONTH: Final = 730.0
MIB_PER_GIB: Final = 1024

# --- GPU instances, an hour (EC2, "On-Demand Pricing") -----------------------------------------------------

GPU_INSTANCES: Final = {
    "g6.xlarge": 0.8048,
    "g6.2xlarge": 0.9776,
    "g5.xlarge": 1.006,
    "g5.2xlarge": 1.212,
}

MANAGED_FEE_SHARE: Final = 0.078
"""ECS Managed Instances takes this share of the on-demand price of a GPU instance, also for a spot instance
(ECS, "Pricing")."""

SPOT_SHARE: Final = 0.53 / ((0.9776 + 1.212) / 2)
"""Assumed: a spot instance costs this share of its on-demand price. AWS's Guidance publishes $0.53 as the
average of g6.2xlarge and g5.2xlarge in March 2026 (us-west-2, where on-demand prices are the same)."""

# --- what is paid while nothing happens --------------------------------------------------------------------

NAT_GATEWAY_HOUR: Final = 0.045
NAT_GATEWAY_GB: Final = 0.045
PUBLIC_ADDRESS_HOUR: Final = 0.005
NAT_INSTANCES: Final = {"t4g.nano": 0.0042}
"""An hour of an instance that serves as NAT."""
EBS_GB_MONTH: Final = 0.08
"""Of type gp3."""
INTERFACE_ENDPOINT_HOUR: Final = 0.01
"""For each Availability Zone."""
ALARM_METRIC_MONTH: Final = 0.10
"""For each metric of an alarm, also inside a metric math expression."""
DASHBOARD_MONTH: Final = 3.00
"""Beyond the account's first three."""
SNAP_START_CACHE_GB_SECOND: Final = 0.0000015046
KEY_MONTH: Final = 1.00
SECRET_MONTH: Final = 0.40
ECR_GB_MONTH: Final = 0.10
S3_GB_MONTH: Final = 0.023
TABLE_GB_MONTH: Final = 0.25
BACKUP_GB_MONTH: Final = 0.20

# --- what is paid for use ----------------------------------------------------------------------------------

LAMBDA_GB_SECOND: Final = 0.0000133334
"""On arm64."""
LAMBDA_REQUEST: Final = 0.20 / 1e6
SQS_REQUEST: Final = 0.40 / 1e6
SQS_FAIR_REQUEST: Final = 0.10 / 1e6
"""What a request for a message with a group costs in addition."""
SNS_PUBLISH: Final = 0.50 / 1e6
API_REQUEST: Final = 3.50 / 1e6
DYNAMODB_WRITE: Final = 0.625 / 1e6
DYNAMODB_READ: Final = 0.125 / 1e6
S3_PUT: Final = 0.005 / 1e3
S3_GET: Final = 0.0004 / 1e3
LOG_GB: Final = 0.50
TRACE: Final = 5.00 / 1e6
METRIC_MONTH: Final = 0.30
"""A custom metric, prorated to the hours in which it is sent."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A way to buy a GPU instance."""

    name: str
    price_share: float
    """Its price as a fraction of the on-demand price."""


ON_DEMAND: Final = Purchase("on-demand", 1.0)
SPOT: Final = Purchase("spot (assumed)", SPOT_SHARE)
PURCHASES: Final = (ON_DEMAND, SPOT)


def gpu_dollars_per_hour(instance_type: str, purchase: Purchase = ON_DEMAND) -> float:
    """Return the dollars for an hour of a GPU instance, with the fee of ECS Managed Instances."""
    return GPU_INSTANCES[instance_type] * (purchase.price_share + MANAGED_FEE_SHARE)
