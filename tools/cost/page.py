"""Write the text of docs/cost.md."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from adapters.listing import MAX_POSITION
from domain.limits import MAX_MESSAGE_BYTES
from functions.api.waiting import MAX_SECONDS
from infra.settings.deployment import Settings
from runtimes.base import all_folders
from runtimes.registry import RUNTIME_TYPES
from tools.cost import assumptions, boot, prices, waiting
from tools.cost.at_rest import Charge, charges_at_rest, total
from tools.cost.images import MILLION, charges_without_gpu, gpu_dollars, gpu_hours
from tools.cost.synthesis import Deployment

GUIDANCE_DOLLARS_PER_MILLION: Final = 240.0
GUIDANCE_DOLLARS_AT_REST: Final = 189.50
GUIDANCE_SPOT_DOLLARS_PER_HOUR: Final = 0.53
"""The cost table in the README of AWS's Guidance, March 2026, us-west-2."""

PURCHASES: Final = (prices.ON_DEMAND, prices.SPOT)
SMALL_INSTANCE_TYPE: Final = "g6.xlarge"
GUIDANCE_INSTANCE_TYPES: Final = ("g6.2xlarge", "g5.2xlarge")


def cost_page(settings: Settings, config: str, *, gateway: Deployment, instance: Deployment) -> str:
    """Return the page for settings that were synthesized with a NAT gateway and with a NAT instance."""
    sections = [
        _introduction(config),
        _summary(settings, gateway, instance),
        _charges_at_rest(gateway, instance),
        _images(settings, gateway),
        _boot_cost(settings),
        _boot_steps(),
        _assumptions(gateway),
    ]
    return "\n\n".join(sections) + "\n"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first and the one named "assumption" are right-aligned."""
    alignments = (":" if name != "assumption" else "" for name in header[1:])
    lines = [header, ["---", *(f"---{alignment}" for alignment in alignments)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def money(dollars: float, digits: int = 2) -> str:
    """Return an amount in dollars; `-` for none."""
    return f"${dollars:,.{digits}f}" if dollars else "-"


def _introduction(config: str) -> str:
    return f"""# What it costs

`make cost` writes this page from AWS's list prices ({prices.DATE}, {prices.REGION}, `tools/cost/prices.py`;
they were not compared with AWS's own pages),
from `{config}` and from the resources of its templates. `python -m tools.cost MY.yaml` prints it for
other settings. Other regions have other prices. Nothing here was read from a bill."""


def _summary(settings: Settings, gateway: Deployment, instance: Deployment) -> str:
    without_gpu = _dollars_without_gpu(settings, gateway)
    row_title = "a month in which nothing happens, with a NAT"
    rows = [
        [f"{row_title} gateway", money(total(charges_at_rest(gateway))), money(GUIDANCE_DOLLARS_AT_REST)],
        [f"{row_title} instance (`network.nat: instance`)", money(total(charges_at_rest(instance))), "-"],
    ]
    for instance_type, purchase in itertools.product(
        (SMALL_INSTANCE_TYPE, *GUIDANCE_INSTANCE_TYPES), PURCHASES
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
    for instance_type, purchase in itertools.product(prices.GPU_INSTANCES, PURCHASES):
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
images. If it is busy half of the time, the GPU costs twice as much; `python -m bench.scaling` shows how much
of it is used in a burst and on a working day. A runtime with `instanceTypes: [g6.xlarge, g5.xlarge]` and
`taskSize: {{vcpus: 3, memoryGib: 12}}` is the cheapest, and enough for SD 1.5 and SDXL.

{markdown_table(["", "an hour", "1,000 images", "a million: GPU", "with everything else"], rows)}

Everything else, if each image is a task of its own:

{markdown_table(["", "a million"], [*parts, ["**sum**", f"**{money(without_gpu)}**"]])}"""


def _boot_cost(settings: Settings) -> str:
    runtime = settings.models_runtime[0]
    cooldown, idle = runtime.scaling.cooldown_period, runtime.idle_instance_seconds
    paid_seconds = boot.paid_seconds(cooldown=cooldown, idle_instance=idle)
    rows = [
        [
            instance_type,
            *(
                money(prices.gpu_dollars_per_hour(instance_type, purchase) * paid_seconds / 3600)
                for purchase in PURCHASES
            ),
        ]
        for instance_type in prices.GPU_INSTANCES
    ]
    return f"""## A GPU that starts for a single task

{paid_seconds:.0f} s are paid: the start, the cooldown of {cooldown} s, and {idle} s in which the instance
waits for another task.

{markdown_table(["", *(each.name for each in PURCHASES)], rows)}

An image of {assumptions.ENGINE_IMAGE_GB:.0f} GB that does not come from ECR in the same region costs
{money(assumptions.ENGINE_IMAGE_GB * prices.NAT_GATEWAY_GB)} more at each start, for the NAT gateway."""


def _boot_steps() -> str:
    rows = [[each.name, _seconds(each.before), _seconds(each.now), each.source] for each in boot.STEPS]
    before, now = (
        _seconds((sum(low for low, _ in column), sum(high for _, high in column)))
        for column in zip(*((each.before, each.now) for each in boot.STEPS), strict=True)
    )
    comment = f"in the middle {boot.expected_seconds():.0f} s; the aim is {boot.TARGET_SECONDS} s"
    sums = ["**sum**", f"**{before}**", f"**{now}**", comment]
    return f"""## From zero to the first image

In seconds. Before: an image of 8 GB that is pulled from a public registry at each start. Now: one of
{assumptions.ENGINE_IMAGE_GB:.0f} GB in the account's own registry: one of this repository's Dockerfiles, or
one of ECR's public registry from its second start on.

{markdown_table(["step", "before", "now", "assumption"], [*rows, sums])}

What shortens it:

- As many GPUs as the backlog needs are ordered at once, by the first event of a submit.
- The image is pulled while the models are downloaded, both onto NVMe disks. The ECS agent pulls the image of
  a container that depends on another one only when that one has ended. So the container `pull-image` has the
  same image, depends on nothing, and ends at once.
- A warm-up job runs before the first task is claimed, so that no caller's job pays for what an inference
  server does once.
- The images of this repository have their largest packages in layers of their own, which are downloaded side
  by side, and contain no caches and no compilers.

A smaller image shortens it further; a longer `scaling.cooldownPeriod` or `idleInstanceSeconds` avoids it
where bursts return. No document says that Managed Instances can load an image lazily (SOCI), unpack it in
parallel, or start from an own machine image. Layers that are compressed with zstd unpack faster. The builder
of `cdk deploy` does not write them: push such an image yourself if you need the seconds, with
`docker buildx build --output type=registry,oci-mediatypes=true,compression=zstd,force-compression=true`."""


def _seconds(range_: tuple[float, float]) -> str:
    low, high = range_
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


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
