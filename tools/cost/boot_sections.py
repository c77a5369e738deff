"""Write the sections of docs/cost.md about a GPU that starts."""

from infra.settings.deployment import Settings
from tools.cost import assumptions, boot, prices
from tools.cost.markdown import markdown_table, money
from tools.cost.sources import AGENT_FLEET_NOTES


def boot_cost(settings: Settings) -> str:
    """Write what a GPU costs that starts for a single task."""
    runtime = settings.models_runtime[0]
    cooldown, idle = runtime.scaling.cooldown_period, runtime.idle_instance_seconds
    paid_seconds = boot.paid_seconds(cooldown=cooldown, idle_instance=idle)
    rows = [
        [
            instance_type,
            *(
                money(prices.gpu_dollars_per_hour(instance_type, purchase) * paid_seconds / 3600)
                for purchase in prices.PURCHASES
            ),
        ]
        for instance_type in prices.GPU_INSTANCES
    ]
    return f"""## A GPU that starts for a single task

{paid_seconds:.0f} s are paid: the start from the moment the instance runs, the cooldown of
{cooldown} s, {assumptions.STOP_SECONDS:.0f} s in which the containers stop, and {idle} s in which the
instance waits for another task.

{markdown_table(["", *(each.name for each in prices.PURCHASES)], rows)}

An image of {assumptions.ENGINE_IMAGE_GB:.0f} GB that does not come from ECR in the same region costs
{money(assumptions.ENGINE_IMAGE_GB * prices.NAT_GATEWAY_GB)} more at each start, for the NAT gateway.

The stop may cost more: with AWS's default instead of `idleInstanceSeconds`, others
[saw]({AGENT_FLEET_NOTES}) the instance begin to shut down 71 to 164 s after the desired count became 0;
here, these last {assumptions.STOP_SECONDS + idle:.0f} s are counted."""


def boot_steps() -> str:
    """Write how long it takes from zero GPUs to the first image."""
    rows = [
        [each.name, _seconds(each.public_image), _seconds(each.own_image), each.source] for each in boot.STEPS
    ]
    public, own = (
        _seconds((sum(low for low, _ in column), sum(high for _, high in column)))
        for column in zip(*((each.public_image, each.own_image) for each in boot.STEPS), strict=True)
    )
    comment = f"in the middle {boot.expected_seconds():.0f} s; the aim is {boot.TARGET_SECONDS} s"
    sums = ["**sum**", f"**{public}**", f"**{own}**", comment]
    header = ["step", "8 GB, public registry", f"{assumptions.ENGINE_IMAGE_GB:.0f} GB in ECR", "assumption"]
    return f"""## From zero to the first image

In seconds, for two images: one of 8 GB that is pulled from a public registry at each start, and one of
{assumptions.ENGINE_IMAGE_GB:.0f} GB in ECR in the same region, such as those of this repository's
Dockerfiles. An image of ECR's public registry is in the account's own
from its second start on.

{markdown_table(header, [*rows, sums])}

No step was measured here. Others [measured]({AGENT_FLEET_NOTES})
the same path in September 2026: g6.xlarge on ECS Managed Instances in Tokyo, an inference server in C++ whose
image has 2.3 GB in ECR, and SDXL with 6.9 GB in S3. From zero, it was ready after 165, 172, 173 and 197 s;
once, a call got its image of 1024 px after 192 s. ComfyUI, with an image of 5.1 GB from a public registry,
was ready after 504 s.

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
