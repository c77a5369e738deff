"""What the prices were compared with: public texts, of which docs/cost.md gives the address and the date."""

import string
from dataclasses import dataclass
from typing import Final

from tools.cost import prices

COMPARED: Final = "26 November 2026"

_GITHUB: Final = "https://github.com"

AGENT_FLEET_NOTES: Final = (
    f"{_GITHUB}/k-k1/agent-fleet/blob/1a8ca988842c8f43a02c28603c419e1fb32fbc48/docs/decisions/"
    "0071-self-hosted-inference-engines.md"
)
"""Notes of another project that runs inference servers on ECS Managed Instances with GPUs."""

_TIMES: Final = {
    "S3_PUT": 1e3,
    "S3_GET": 1e3,
    **dict.fromkeys(
        (
            "API_REQUEST",
            "DYNAMODB_READ",
            "DYNAMODB_WRITE",
            "LAMBDA_REQUEST",
            "SNS_PUBLISH",
            "SQS_FAIR_REQUEST",
            "SQS_REQUEST",
            "TRACE",
        ),
        1e6,
    ),
}
"""How many are paid for together, as the sources say it; all other prices are for one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Prices that were compared with a text."""

    template: str
    """What is paid for, with the names of the prices."""
    source: str
    """In Markdown, with the region."""
    date: str
    """Of AWS's price list if the text says it, otherwise of the text."""


COMPARISONS: Final = (
    Comparison(
        "an hour of g6.xlarge {GPU_INSTANCES[g6.xlarge]}, g6.2xlarge {GPU_INSTANCES[g6.2xlarge]}, "
        "g5.xlarge {GPU_INSTANCES[g5.xlarge]}, g5.2xlarge {GPU_INSTANCES[g5.2xlarge]}, "
        "t4g.nano {NAT_INSTANCES[t4g.nano]}",
        f"us-east-1 in [Karpenter's list]({_GITHUB}/aws/karpenter-provider-aws/blob/"
        "1d927085dd81a9df9301e613f371dac5b4d16bfe/pkg/providers/pricing/zz_generated.pricing_aws.go), "
        "which is made from AWS's price API",
        "20 July 2026",
    ),
    Comparison(
        "NAT gateway: an hour {NAT_GATEWAY_HOUR}, a GB {NAT_GATEWAY_GB}; "
        "S3: a GB-month {S3_GB_MONTH}, 1,000 writes {S3_PUT}, 1,000 reads {S3_GET}; "
        "DynamoDB: a GB-month {TABLE_GB_MONTH}, a million units written {DYNAMODB_WRITE}, "
        "read {DYNAMODB_READ}; a million requests to SQS {SQS_REQUEST}, to Lambda {LAMBDA_REQUEST}",
        f"AWS's price list of us-east-1 in [a model of costs]({_GITHUB}/imiancrook/GitDAM/blob/"
        "eaf468c96c8a21a963d28197d38156a183177eb4/docs/financials/infra_model.py)",
        "29 September 2026",
    ),
    Comparison(
        "an hour of a public IPv4 address {PUBLIC_ADDRESS_HOUR}; EBS gp3: a GB-month {EBS_GB_MONTH}",
        f"AWS's price list of us-east-1 in [notes]({_GITHUB}/ChiefGyk3D/Clouds-Against-Humanity/wiki/"
        "Provider-AWS-Cost-Lesson)",
        "16 October 2026",
    ),
    Comparison(
        "a month of an alarm's metric {ALARM_METRIC_MONTH}, of a custom metric {METRIC_MONTH}, "
        "of a secret {SECRET_MONTH}; ECR: a GB-month {ECR_GB_MONTH}",
        f"AWS's price list of eu-west-1 in [a list of rates]({_GITHUB}/henderjm/world-cup-sweepstake/blob/"
        "63aa3d710df3df95c14dda6798b4309ad40b61e5/docs/costs/aws-ireland-rates.json), and us-east-1 in "
        "articles about [CloudWatch](https://cloudburn.io/blog/amazon-cloudwatch-pricing) and "
        "[ECR](https://cloudburn.io/blog/amazon-ecr-pricing)",
        "4 October, February and March 2026",
    ),
    Comparison(
        "a month of a dashboard {DASHBOARD_MONTH}; a GB of logs {LOG_GB}",
        "us-east-1 in [an article about CloudWatch](https://cloudburn.io/blog/amazon-cloudwatch-pricing)",
        "February 2026",
    ),
    Comparison(
        "a million messages to SNS {SNS_PUBLISH}, requests to a REST API {API_REQUEST}",
        f"us-west-2 in [the cost table of AWS's Guidance]({_GITHUB}/aws-solutions-library-samples/"
        "guidance-for-asynchronous-inference-with-stable-diffusion-on-aws)",
        "March 2026",
    ),
    Comparison(
        "a million requests to fair queues of SQS {SQS_FAIR_REQUEST}",
        "us-east-1 in [an article about SQS](https://cloudburn.io/blog/amazon-sqs-pricing)",
        "March 2026",
    ),
    Comparison(
        "a month of a key in KMS {KEY_MONTH}",
        "[an article about KMS](https://cloudburn.io/blog/aws-kms-pricing)",
        "March 2026",
    ),
    Comparison(
        "Lambda on arm64: a GB-second {LAMBDA_GB_SECOND}",
        "us-east-1 in [an article about Lambda](https://cloudchipr.com/blog/aws-lambda-pricing), and "
        "[one without a region](https://git.mcrn.ar/mariano/lambda_local_runner/src/branch/main/docs/lambdas-md/"
        "lambda-13-cost.md)",
        "2024 and May 2026",
    ),
    Comparison(
        "SnapStart's cache: a GB-second {SNAP_START_CACHE_GB_SECOND}",
        "[an article about SnapStart](https://awsnegotiations.com/blog/lambda-snapstart-cost-impact)",
        "May 2026",
    ),
    Comparison(
        "a million traces of X-Ray {TRACE}",
        "the examples of [AWS's page](https://aws.amazon.com/xray/pricing/), in an old copy",
        "not known",
    ),
    Comparison(
        "ECS Managed Instances {MANAGED_FEE_SHARE} of the on-demand price of a GPU instance",
        f"AWS's price list of Tokyo in [a project's notes]({AGENT_FLEET_NOTES}): "
        "$0.091 of $1.167 for g6.xlarge, $0.114 of $1.459 for g5.xlarge",
        "6 September 2026",
    ),
    Comparison(
        "a spot instance's share of the on-demand price {SPOT_SHARE}, and the same fee for it",
        "not compared: assumed from the price that AWS's Guidance gives",
        "March 2026",
    ),
    Comparison(
        "a GB-month of DynamoDB's backup {BACKUP_GB_MONTH}; an hour of an interface endpoint in a zone "
        "{INTERFACE_ENDPOINT_HOUR}",
        "not compared for us-east-1; copies of the price list of us-west-2 have the same",
        "September and October 2026",
    ),
)


def comparison_rows() -> list[tuple[str, str, str]]:
    """Return prices, what they were compared with, and its date, for a table."""
    amounts = {name: _texts(name) for name in price_names()}
    return [(each.template.format_map(amounts), each.source, each.date) for each in COMPARISONS]


def compared_names() -> list[str]:
    """Return the names of the prices that `COMPARISONS` has, with an index for each instance type."""
    return [
        field
        for each in COMPARISONS
        for _, field, _, _ in string.Formatter().parse(each.template)
        if field is not None
    ]


def price_names() -> list[str]:
    """Return the names of all prices and shares in `prices`."""
    return [
        name
        for name, value in vars(prices).items()
        if name.isupper() and isinstance(value, float | dict) and name != "HOURS_PER_MONTH"
    ]


def _texts(name: str) -> str | dict[str, str]:
    value = getattr(prices, name)
    if isinstance(value, dict):
        return {each: _amount(dollars) for each, dollars in value.items()}
    return f"{value:.1%}" if name.endswith("_SHARE") else _amount(value * _TIMES.get(name, 1))


def _amount(dollars: float) -> str:
    whole, _, digits = f"{dollars:.10f}".rstrip("0").partition(".")
    return f"${whole}.{digits:0<2}"
