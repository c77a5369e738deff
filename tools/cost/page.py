"""Write the text of docs/cost.md."""

import itertools
from typing import Final

from adapters.listing import MAX_POSITION
from domain.limits import MAX_MESSAGE_BYTES
from functions.api.waiting import MAX_SECONDS
from infra.settings.deployment import Settings
from runtimes.base import all_folders
from runtimes.registry import RUNTIME_TYPES
from tools.cost import assumptions, prices, waiting
from tools.cost.at_rest import Charge, charges_at_rest, total
from tools.cost.boot_sections import boot_cost, boot_steps
from tools.cost.images import MILLION, charges_without_gpu, gpu_dollars, gpu_hours
from tools.cost.markdown import markdown_table, money
from tools.cost.sources import AGENT_FLEET_NOTES, COMPARED, comparison_rows
from tools.cost.synthesis import Deployment

GUIDANCE_DOLLARS_PER_MILLION: Final = 240.0
GUIDANCE_DOLLARS_AT_REST: Final = 189.50
GUIDANCE_SPOT_DOLLARS_PER_HOUR: Final = 0.53
"""The cost table in the README of AWS's Guidance, March 2026, us-west-2."""

SDXL_SECONDS: Final = 8.1
"""The middle of two measurements by others (`AGENT_FLEET_NOTES`)."""

SMALL_INSTANCE_TYPE: Final = "g6.xlarge"
GUIDANCE_INSTANCE_TYPES: Final = ("g6.2xlarge", "g5.2xlarge")


def cost_page(settings: Settings, config: str, *, gateway: Deployment, instance: Deployment) -> str:
    """Return the page for settings that were synthesized with a NAT gateway and with a NAT instance."""
    sections = [
        _introduction(config),
        _summary(settings, gateway, instance),
        _charges_at_rest(gateway, instance),
        _images(settings, gateway),
        boot_cost(settings),
        boot_steps(),
        _assumptions(gateway),
        _sources(),
    ]
    return "\n\n".join(sections) + "\n"


def _introduction(config: str) -> str:
    return f"""# What it costs

`make cost` writes this page from AWS's list prices ({prices.DATE}, {prices.REGION}, `tools/cost/prices.py`,
[compared with public copies](#where-the-prices-come-from)),
from `{config}` and from the resources of its templates. `.venv/bin/python -m tools.cost MY.yaml`
prints it for other settings. Other regions have other prices. **Nothing here was read from
a bill**, and this project has not yet run on a GPU or in an account: what
is measured below was measured by others."""


def _summary(settings: Settings, gateway: Deployment, instance: Deployment) -> str:
    without_gpu = _dollars_without_gpu(settings, gateway)
    row_title = "a month in which nothing happens, with a NAT"
    rows = [
        [f"{row_title} gateway", money(total(charges_at_rest(gateway))), money(GUIDANCE_DOLLARS_AT_REST)],
        [f"{row_title} instance (`network.nat: instance`)", money(total(charges_at_rest(instance))), "-"],
    ]
    for instance_type, purchase in itertools.product(
        (SMALL_INSTANCE_TYPE, *GUIDANCE_INSTANCE_TYPES), prices.PURCHASES
    ):
        guidance = (
            money(GUIDANCE_DOLLARS_PER_MILLION, 0)
            if purchase is prices.SPOT and instance_type in GUIDANCE_INSTANCE_TYPES
            else "-"
        )
        here = money(gpu_dollars(MILLION, instance_type, purchase) + without_gpu, 0)
        rows.append([f"a million images on {instance_type}, {purchase.name}", here, guidance])
    gpu = money(GUIDANCE_SPOT_DOLLARS_PER_HOUR * gpu_hours(MILLION), 0)
    return f"""## In short

{markdown_table(["", "here", "AWS's Guidance"], rows)}

The right column is what AWS's *Guidance for Asynchronous Inference with Stable Diffusion on AWS*
publishes (March 2026, us-west-2): {money(GUIDANCE_DOLLARS_PER_MILLION, 0)} for a million images of
{assumptions.IMAGE_SECONDS} s, {gpu} of it for g5.2xlarge or g6.2xlarge on spot at
{money(GUIDANCE_SPOT_DOLLARS_PER_HOUR)} an hour, and
{money(GUIDANCE_DOLLARS_AT_REST)} a month for its cluster. Its table has no disks, NAT gateway, logs or
metrics. Here, ECS Managed Instances takes {prices.MANAGED_FEE_SHARE:.1%} of the on-demand price, which is
part of each hour."""


def _dollars_without_gpu(settings: Settings, deployment: Deployment) -> float:
    return total(charges_without_gpu(MILLION, deployment, gpus=_gpu_count(settings)))


def _gpu_count(settings: Settings) -> int:
    return settings.models_runtime[0].scaling.max_replica_count


def _charges_at_rest(gateway: Deployment, instance: Deployment) -> str:
    columns = [
        {charge.item: charge for charge in charges_at_rest(deployment)} for deployment in (gateway, instance)
    ]
    items = sorted(
        {**columns[0], **columns[1]}.values(),
        key=lambda charge: (-max(_dollars(column, charge) for column in columns), charge.item),
    )
    rows = [
        [
            f"{charge.item}{_count_text(charge)}",
            *(money(_dollars(column, charge)) for column in columns),
        ]
        for charge in items
    ]
    sums = [f"**{money(sum(charge.dollars for charge in column.values()))}**" for column in columns]
    return f"""## A month in which nothing happens

Counted in the templates. A resource of a type without a price makes this page fail, so none is forgotten.

{markdown_table(["", "NAT gateway", "NAT instance"], [*rows, ["**sum**", *sums]])}

`APIGW.snapStart: false` and `alarms.enabled: false` leave these two out. With `network.vpcId`, the way out of
that VPC is not counted. Queues, topics, functions, roles,
gateway endpoints and metrics that nobody sends are free."""


def _dollars(column: dict[str, Charge], charge: Charge) -> float:
    return column[charge.item].dollars if charge.item in column else 0.0


def _count_text(charge: Charge) -> str:
    if charge.count == 1 and not charge.unit:
        return ""
    digits = 0 if charge.count == int(charge.count) else 1
    return f": {charge.count:,.{digits}f} {charge.unit}".rstrip()


def _images(settings: Settings, deployment: Deployment) -> str:
    without_gpu = _dollars_without_gpu(settings, deployment)
    rows = []
    for instance_type, purchase in itertools.product(prices.GPU_INSTANCES, prices.PURCHASES):
        gpu = gpu_dollars(MILLION, instance_type, purchase)
        thousand, million = money((gpu + without_gpu) / 1000), money(gpu + without_gpu, 0)
        name = f"{instance_type}, {purchase.name}"
        rows.append(
            [
                name,
                f"${prices.gpu_dollars_per_hour(instance_type, purchase):.3f}",
                thousand,
                money(gpu, 0),
                million,
            ]
        )
    parts = [
        [f"{each.item}: {each.count:,.3g} {each.unit}", money(each.dollars)]
        for each in charges_without_gpu(MILLION, deployment, gpus=_gpu_count(settings))
    ]
    return f"""## Images

{assumptions.IMAGE_SECONDS} s of a GPU that is always busy: {gpu_hours(MILLION):,.0f} hours for a million
images. If it is busy half of the time, the GPU costs twice as much;
`.venv/bin/python -m bench.scaling` shows how much of it is used in a burst and on a working day.
A runtime with `instanceTypes: [g6.xlarge, g5.xlarge]` and
`taskSize: {{vcpus: 3, memoryGib: 12}}` is the cheapest, and enough for SD 1.5 and SDXL.

{assumptions.IMAGE_SECONDS} s are what AWS's Guidance computes with, not a measurement of this project. Larger
images take longer: others [saw]({AGENT_FLEET_NOTES})
7.9 and 8.3 s for SDXL with 1024 px and 20 steps in ComfyUI on g6.xlarge, which needs
{SDXL_SECONDS / assumptions.IMAGE_SECONDS:.1f} times the hours.

{markdown_table(["", "an hour", "1,000 images", "a million: GPU", "with everything else"], rows)}

Everything else, if each image is a task of its own:

{markdown_table(["", "a million"], [*parts, ["**sum**", f"**{money(without_gpu)}**"]])}"""


def _assumptions(deployment: Deployment) -> str:
    status_requests = money(
        MILLION
        * (prices.API_REQUEST + prices.LAMBDA_REQUEST + assumptions.API_GB_SECONDS * prices.LAMBDA_GB_SECOND)
    )
    # A unit reads 4 KB, or twice as much from an index.
    units = MAX_POSITION * assumptions.QUEUED_ENTRY_BYTES / (2 * 4096)
    waiting_requests = money(MILLION * units * prices.DYNAMODB_READ)
    waits = money(MILLION * waiting.wait_dollars(deployment, row_bytes=assumptions.CONTENT_BYTES))
    wait_reads, large_reads = (
        money(MILLION * waiting.read_dollars(size)) for size in (assumptions.CONTENT_BYTES, MAX_MESSAGE_BYTES)
    )
    folders = max(len(all_folders(runtime_type)) for runtime_type in RUNTIME_TYPES.values())
    catalogue_dollars = folders * prices.S3_PUT
    return f"""## Assumptions

- Spot costs {prices.SPOT_SHARE:.0%} of the on-demand price, the share that the
  {money(GUIDANCE_SPOT_DOLLARS_PER_HOUR)} of AWS's Guidance have. Look at your region's prices before you
  rely on it.
- ECS Managed Instances takes {prices.MANAGED_FEE_SHARE:.1%} of the on-demand price of a GPU instance, also on
  spot.
- At rest, there are {assumptions.ENGINE_IMAGE_GB:g} GB of images in ECR and {assumptions.MODEL_GB:g} GB of
  models; a scheduled invocation takes {assumptions.FUNCTION_SECONDS:g} s; Lambda asks an empty queue
  {assumptions.POLLS_PER_MINUTE} times a minute. No free tier is deducted.
- An image is submitted once, and its caller waits for the callback: a million status requests cost
  {status_requests}. While a task waits, a request also reads the tasks before it and the workers: with
  a thousand tasks before it, {waiting_requests} more for a million requests. With `/wait`,
  a million waits of {MAX_SECONDS} s at {waiting.memory_mib(deployment)} MiB cost {waits}, with API Gateway
  and {wait_reads} for {waiting.READS} reads of the row each (while a task with a message of
  {MAX_MESSAGE_BYTES // 1024} KB is queued, {large_reads}). A read of
  a runtime's catalogue lists each folder of models, for {money(catalogue_dollars, 5)}.
  Its task has {assumptions.CONTENT_BYTES:,} bytes, whose units in the table are counted by following the
  protocol. It has {assumptions.OBJECT_KB:.0f} KB and is kept for one month (`outputs.expireDays`).
- Instances use their own NVMe disks (`storage.instanceStore`), so no EBS volume is paid.
- `tools/cost/assumptions.py` has all numbers, each with its reason."""


def _sources() -> str:
    return f"""## Where the prices come from

On {COMPARED}, the prices of `tools/cost/prices.py` were compared with these public texts, and no
difference was found. AWS's own pages could not be read with their figures; most of these are copies of its
price list that others made. Look at AWS's pages for your region before you rely on a figure.

{markdown_table(["price", "compared with", "as of"], comparison_rows())}"""
