"""The page about costs: docs/cost.md."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from infra.settings.deployment import Settings
from tools.cost import assumptions as a
from tools.cost import boot
from tools.cost import prices as p
from tools.cost.at_rest import Charge, at_rest, total
from tools.cost.images import MILLION, everything_else, gpu_dollars, gpu_hours
from tools.cost.synthesis import Deployment

THEIRS_A_MILLION: Final = 240.0
THEIRS_FIXED: Final = 189.50
THEIRS_SPOT_HOUR: Final = 0.53
"""The cost table in the README of AWS's Guidance, March 2026, us-west-2."""

PURCHASES: Final = (p.ON_DEMAND, p.SPOT)
SMALL: Final = "g6.xlarge"
THEIR_TYPES: Final = ("g6.2xlarge", "g5.2xlarge")


def page(settings: Settings, config: str, *, gateway: Deployment, instance: Deployment) -> str:
    """Return the page for settings that were synthesized with a NAT gateway and with a NAT instance."""
    sections = [
        _introduction(config),
        _summary(settings, gateway, instance),
        _rest(gateway, instance),
        _images(settings, gateway),
        _boot_cost(settings),
        _boot_steps(),
        _assumptions(),
    ]
    return "\n\n".join(sections) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text, as are assumptions, and whose other columns are numbers."""
    # Texts are aligned to the left.
    numbers = (":" if name != "assumption" else "" for name in header[1:])
    lines = [header, ["---", *(f"---{each}" for each in numbers)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def money(dollars: float, digits: int = 2) -> str:
    """Return an amount in dollars; `-` for none."""
    return f"${dollars:,.{digits}f}" if dollars else "-"


def _introduction(config: str) -> str:
    return f"""# What it costs

`make cost` writes this page from AWS's list prices ({p.DATE}, {p.REGION}, `tools/cost/prices.py`; they were
not compared with AWS's own pages),
from `{config}` and from the resources of its templates. `python -m tools.cost MY.yaml` prints it for
other settings. Other regions have other prices. Nothing here was read from a bill."""


def _summary(settings: Settings, gateway: Deployment, instance: Deployment) -> str:
    others = _others(settings, gateway)
    rest = "a month in which nothing happens, with a NAT"
    rows = [
        [f"{rest} gateway", money(total(at_rest(gateway))), money(THEIRS_FIXED)],
        [f"{rest} instance (`network.nat: instance`)", money(total(at_rest(instance))), "-"],
    ]
    for kind, purchase in itertools.product((SMALL, *THEIR_TYPES), PURCHASES):
        theirs = money(THEIRS_A_MILLION, 0) if purchase is p.SPOT and kind in THEIR_TYPES else "-"
        ours = money(gpu_dollars(MILLION, kind, purchase) + others, 0)
        rows.append([f"a million images on {kind}, {purchase.name}", ours, theirs])
    gpu = money(THEIRS_SPOT_HOUR * gpu_hours(MILLION), 0)
    return f"""## In short

{table(["", "here", "AWS's Guidance"], rows)}

The right column is what AWS's *Guidance for Asynchronous Inference with Stable Diffusion on AWS*
publishes (March 2026, us-west-2): {money(THEIRS_A_MILLION, 0)} for a million images of {a.IMAGE_SECONDS} s,
{gpu} of it for g5.2xlarge or g6.2xlarge on spot at {money(THEIRS_SPOT_HOUR)} an hour, and
{money(THEIRS_FIXED)} a month for its cluster. Its table has no disks, NAT gateway, logs or metrics.
Here, ECS Managed Instances takes {p.MANAGED_SHARE:.1%} of the on-demand price, which is part of each hour."""


def _others(settings: Settings, deployment: Deployment) -> float:
    return total(everything_else(MILLION, deployment, gpus=_gpus(settings)))


def _gpus(settings: Settings) -> int:
    return settings.models_runtime[0].scaling.max_replica_count


def _rest(gateway: Deployment, instance: Deployment) -> str:
    columns = [{each.item: each for each in at_rest(each)} for each in (gateway, instance)]
    items = sorted(
        {**columns[0], **columns[1]}.values(),
        key=lambda each: (-max(_of(one, each) for one in columns), each.item),
    )
    rows = [[f"{each.item}{_count(each)}", *(money(_of(one, each)) for one in columns)] for each in items]
    sums = [f"**{money(sum(each.dollars for each in one.values()))}**" for one in columns]
    return f"""## A month in which nothing happens

Counted in the templates. A resource of a type without a price makes this page fail, so none is forgotten.

{table(["", "NAT gateway", "NAT instance"], [*rows, ["**sum**", *sums]])}

`APIGW.snapStart: false` and `alarms.enabled: false` leave these two out. With `network.vpcId`, the way out of
that VPC is not counted. Queues, topics, functions, roles,
gateway endpoints and metrics that nobody sends are free."""


def _of(column: dict[str, Charge], charge: Charge) -> float:
    return column[charge.item].dollars if charge.item in column else 0.0


def _count(charge: Charge) -> str:
    if charge.count == 1 and not charge.unit:
        return ""
    digits = 0 if charge.count == int(charge.count) else 1
    return f": {charge.count:,.{digits}f} {charge.unit}".rstrip()


def _images(settings: Settings, deployment: Deployment) -> str:
    others = _others(settings, deployment)
    rows = []
    for kind, purchase in itertools.product(p.INSTANCES, PURCHASES):
        gpu = gpu_dollars(MILLION, kind, purchase)
        one, million = money((gpu + others) / 1000), money(gpu + others, 0)
        name = f"{kind}, {purchase.name}"
        rows.append([name, f"${p.gpu_hour(kind, purchase):.3f}", one, money(gpu, 0), million])
    parts = [
        [f"{each.item}: {each.count:,.3g} {each.unit}", money(each.dollars)]
        for each in everything_else(MILLION, deployment, gpus=_gpus(settings))
    ]
    return f"""## Images

{a.IMAGE_SECONDS} s of a GPU that is always busy: {gpu_hours(MILLION):,.0f} hours for a million images. If
it is busy half of the time, the GPU costs twice as much; `python -m bench.scaling` shows how much of it is
used in a burst and on a working day. A runtime with `instanceTypes: [g6.xlarge, g5.xlarge]` and
`taskSize: {{vcpus: 3, memoryGib: 12}}` is the cheapest, and enough for SD 1.5 and SDXL.

{table(["", "an hour", "1,000 images", "a million: GPU", "with everything else"], rows)}

Everything else, if each image is a task of its own:

{table(["", "a million"], [*parts, ["**sum**", f"**{money(others)}**"]])}"""


def _boot_cost(settings: Settings) -> str:
    runtime = settings.models_runtime[0]
    cooldown, idle = runtime.scaling.cooldown_period, runtime.idle_instance_seconds
    paid = boot.paid_seconds(cooldown=cooldown, idle_instance=idle)
    rows = [
        [kind, *(money(p.gpu_hour(kind, purchase) * paid / 3600) for purchase in PURCHASES)]
        for kind in p.INSTANCES
    ]
    return f"""## A GPU that starts for a single task

{paid:.0f} s are paid: the start, the cooldown of {cooldown} s, and {idle} s in which the instance waits for
another task.

{table(["", *(each.name for each in PURCHASES)], rows)}

An image of {a.ENGINE_IMAGE_GB:.0f} GB that does not come from ECR in the same region costs
{money(a.ENGINE_IMAGE_GB * p.NAT_GATEWAY_GB)} more at each start, for the NAT gateway."""


def _boot_steps() -> str:
    rows = [[each.name, _seconds(each.before), _seconds(each.now), each.source] for each in boot.STEPS]
    before, now = (
        _seconds((sum(low for low, _ in column), sum(high for _, high in column)))
        for column in zip(*((each.before, each.now) for each in boot.STEPS), strict=True)
    )
    last = f"in the middle {boot.middle():.0f} s; the aim is {boot.TARGET_SECONDS} s"
    return f"""## From zero to the first image

In seconds. Before: an image of 8 GB that is pulled from a public registry at each start. Now: one of
{a.ENGINE_IMAGE_GB:.0f} GB in the account's own registry: one of this repository's Dockerfiles, or one of
ECR's public registry from its second start on.

{table(["step", "before", "now", "assumption"], [*rows, ["**sum**", f"**{before}**", f"**{now}**", last]])}

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


def _seconds(one: tuple[float, float]) -> str:
    low, high = one
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _assumptions() -> str:
    status = money(MILLION * (p.API_REQUEST + p.LAMBDA_REQUEST + a.API_GB_SECONDS * p.LAMBDA_GB_SECOND))
    return f"""## Assumptions

- Spot costs {p.SPOT_SHARE:.0%} of the on-demand price, the share that the {money(THEIRS_SPOT_HOUR)} of AWS's
  Guidance have. Look at your region's prices before you rely on it.
- ECS Managed Instances takes {p.MANAGED_SHARE:.1%} of the on-demand price of a GPU instance, also on spot.
- At rest, there are {a.ENGINE_IMAGE_GB:g} GB of images in ECR and {a.MODEL_GB:g} GB of models; a scheduled
  invocation takes {a.FUNCTION_SECONDS:g} s; Lambda asks an empty queue {a.POLLS_A_MINUTE} times a minute.
  No free tier is deducted.
- An image is submitted once, and its caller waits for the callback: a million status requests cost {status}.
  Its task has {a.CONTENT_BYTES:,} bytes, whose units in the table are counted by following the protocol.
  It has {a.OBJECT_KB:.0f} KB and is kept for one month (`outputs.expireDays`).
- Instances use their own NVMe disks (`storage.instanceStore`), so no EBS volume is paid.
- `tools/cost/assumptions.py` has all numbers, each with its reason."""
