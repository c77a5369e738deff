"""The settings of a deployment and their allowed values."""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from domain.limits import DEFAULT_LIMITS, LARGE_CONTENT_DAYS, MAX_TASKS_PER_SECOND, QUEUE_RETENTION_DAYS
from domain.limits import Limits as DomainLimits
from domain.routing import DEFAULT_TYPE
from infra.runtime_types.base import Runtime
from infra.runtime_types.registry import RuntimeTypes
from infra.section import SecretName, Section

# RUNTIMES is part of the API Lambda's environment, which is limited to 4 KB; a runtime takes up to 300 bytes.
MAX_RUNTIMES = 10
MAX_SCRIPTS_BYTES = 600
MAX_CREDENTIALS = 20
MAX_KEYS = 50
MIN_UPLOAD_DAYS = QUEUE_RETENTION_DAYS + 1

T = TypeVar("T")
_Several = Annotated[tuple[T, ...], Field(min_length=1, max_length=MAX_RUNTIMES)]
_Host = Annotated[str, Field(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+(:[0-9]{1,5})?$")]
_KeyName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,39}$")]
_Zone = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")]
_KeyArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$")]
_BucketArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Throttle(Section):
    """How many requests an API key may send per second and in a burst."""

    rate_limit: Annotated[float, Field(gt=0, le=MAX_TASKS_PER_SECOND)] = 30
    burst_limit: Annotated[int, Field(gt=0, le=5_000)] = 50


class WaitThrottle(Section):
    """How many requests per second, and in a burst, may begin to wait for a task, those of all keys together.

    Each occupies one of the account's concurrent executions (1,000, in a new account 10) for up to 25 s: at
    the default rate no more than 50, besides the burst.
    """

    rate_limit: Annotated[float, Field(gt=0, le=MAX_TASKS_PER_SECOND)] = 2
    burst_limit: Annotated[int, Field(gt=0, le=5_000)] = 2


class Quota(Section):
    """How many requests an API key may send in a period, reads included."""

    limit: Annotated[int, Field(ge=1, le=2**31 - 1)]
    period: Literal["DAY", "WEEK", "MONTH"] = "DAY"


class ApiGateway(Section):
    """Settings of API Gateway.

    `keys` are the names of further API keys, each with its own throttle and quota, and by default with its
    own group of tasks.

    `quota` and `reserved_concurrency` are not set by default. A quota counts reads too, and how often clients
    poll is not known here. AWS refuses to reserve concurrency if less than 100 would be left to the account,
    and a new account has 10.
    """

    stage_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,128}$")] = "dev"
    throttle: Throttle = Throttle()
    waits: WaitThrottle = WaitThrottle()
    quota: Quota | None = None
    keys: Annotated[tuple[_KeyName, ...], Field(max_length=MAX_KEYS)] = ()
    reserved_concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    # Snapshots of the started function: a first request after a pause is answered sooner, for a price.
    snap_start: bool = True

    @model_validator(mode="after")
    def _keys_differ_and_fit(self) -> Self:
        if len({name.lower() for name in self.keys}) < len(self.keys):
            raise ValueError("keys that differ in more than case")
        allowed = MAX_TASKS_PER_SECOND / (1 + len(self.keys))
        if self.throttle.rate_limit > allowed:
            text = f"{MAX_TASKS_PER_SECOND} requests a second for all keys together: throttle.rateLimit"
            raise ValueError(f"{text} must be at most {allowed:.4g} with {len(self.keys)} further keys")
        return self

    # A page for people at /console. It needs no key itself, so not everyone wants it on the internet.
    console: bool = True


class Limits(Section):
    """Limits of a single task, whichever runtime it goes to (`domain.limits.Limits`).

    `body_bytes` and `nesting` can only be lowered, because Lambda accepts no more bytes and DynamoDB no more
    levels.
    """

    body_bytes: Annotated[int, Field(ge=1024, le=DEFAULT_LIMITS.body_bytes)] = DEFAULT_LIMITS.body_bytes
    nesting: Annotated[int, Field(ge=8, le=DEFAULT_LIMITS.nesting)] = DEFAULT_LIMITS.nesting
    links: Annotated[int, Field(ge=0, le=256)] = DEFAULT_LIMITS.links
    input_bytes: Annotated[int, Field(ge=1024, le=2**30)] = DEFAULT_LIMITS.input_bytes
    input_pixels: Annotated[int, Field(ge=4096, le=2**34)] = DEFAULT_LIMITS.input_pixels
    media_bytes: Annotated[int, Field(ge=1024, le=2**30)] = DEFAULT_LIMITS.media_bytes
    video_pixels: Annotated[int, Field(ge=4096, le=2**36)] = DEFAULT_LIMITS.video_pixels
    images: Annotated[int, Field(ge=1, le=1000)] = DEFAULT_LIMITS.images
    pixels: Annotated[int, Field(ge=4096, le=16384**2)] = DEFAULT_LIMITS.pixels
    upscaled_pixels: Annotated[int, Field(ge=4096, le=16384**2)] = DEFAULT_LIMITS.upscaled_pixels
    steps: Annotated[int, Field(ge=1, le=10_000)] = DEFAULT_LIMITS.steps
    work: Annotated[int, Field(ge=1_000_000, le=10**15)] = DEFAULT_LIMITS.work
    frames: Annotated[int, Field(ge=1, le=100_000)] = DEFAULT_LIMITS.frames
    prompt_characters: Annotated[int, Field(ge=1, le=DEFAULT_LIMITS.body_bytes)] = (
        DEFAULT_LIMITS.prompt_characters
    )

    def as_domain(self) -> DomainLimits:
        """Return the limits as the API and the consumer use them."""
        return DomainLimits(**self.model_dump())


class Inputs(Section):
    """How links of tasks are downloaded.

    `credentials` names, for a host (and a port other than 443), the secret in Secrets Manager with the header
    that authenticates there: its name, or its whole ARN for a secret of another account.
    """

    credentials: dict[_Host, SecretName] = Field(default={}, max_length=MAX_CREDENTIALS)


class Network(Section):
    """The network of the GPU tasks: a new VPC, or an existing one by its id.

    `nat` is the way out of a new VPC. `availability_zones` are those of a new VPC; empty for the region's
    first three.
    """

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")] | None = None
    nat: Literal["gateway", "instance"] = "gateway"
    availability_zones: Annotated[tuple[_Zone, ...], Field(max_length=6)] = ()

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if self.vpc_id and (self.nat != "gateway" or self.availability_zones):
            raise ValueError("nat and availabilityZones are for a new VPC; one with vpcId has its own")
        if len(set(self.availability_zones)) < len(self.availability_zones):
            raise ValueError("availabilityZones must differ")
        return self


class Expiry(Section):
    """After how many days S3 deletes the objects of a bucket; None never does."""

    expire_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class Uploads(Section):
    """After how many days S3 deletes uploads: not before a task that waits for its turn can need them."""

    expire_days: Annotated[int, Field(ge=MIN_UPLOAD_DAYS, le=3650)] = LARGE_CONTENT_DAYS


class Webhooks(Section):
    """What a task's webhook may be, besides https on the public internet."""

    allow_http: bool = False


class Alarms(Section):
    """Thresholds of alarms, and who is notified; without `email`, subscribe to the topic `AlarmTopicArn`."""

    enabled: bool = True
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    oldest_task_seconds: Annotated[int, Field(ge=60, le=1_209_600)] = 1800
    failure_percent: Annotated[float, Field(gt=0, le=100)] = 20
    # Starting from zero means launching an instance, pulling images, downloading checkpoints and starting
    # the engine.
    no_consumer_minutes: Annotated[int, Field(ge=5, le=1440)] = 20


class Settings(Section):
    """The settings of a whole deployment, from `config.yaml` or by default."""

    stack_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,99}$")] = "sdonecs"
    model_bucket_arn: _BucketArn | None = None
    apigw: Annotated[ApiGateway, Field(alias="APIGW")] = ApiGateway()
    models_runtime: _Several[Runtime]
    limits: Limits = Limits()
    network: Network = Network()
    # Buckets that a task's s3:// links may name, in addition to the upload and output buckets.
    input_buckets: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")], ...] = ()
    inputs: Inputs = Inputs()
    webhooks: Webhooks = Webhooks()
    outputs: Expiry = Expiry()
    uploads: Uploads = Uploads()
    # Keys of SSE-KMS that the workers may decrypt with: of the model bucket, of `inputBuckets`, of secrets.
    kms_key_arns: Annotated[tuple[_KeyArn, ...], Field(max_length=20)] = ()
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    enable_execute_command: bool = False
    # X-Ray in API Gateway, the Lambdas and the consumer; X-Ray's sampling keeps it cheap.
    tracing: bool = True
    alarms: Alarms = Alarms()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [runtime.name for runtime in self.models_runtime]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"modelsRuntime names must differ; used twice: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _scripts_fit(self) -> Self:
        runtimes = [runtime.as_domain() for runtime in self.models_runtime]
        names = [name for runtime in runtimes for name in (*(runtime.scripts or ()), *runtime.settings)]
        if len("".join(names).encode()) > MAX_SCRIPTS_BYTES:
            text = f"scripts and allowedSettings of all runtimes must have at most {MAX_SCRIPTS_BYTES} bytes"
            raise ValueError(text)
        return self


def settings_of(types: RuntimeTypes) -> type[Settings]:
    """Return the settings of a deployment whose runtimes are of the given types."""
    return _settings_of(tuple(types.items()))


@cache
def _settings_of(types: tuple[tuple[str, type[Runtime]], ...]) -> type[Settings]:
    tagged: list[Any] = [Annotated[settings, Tag(name)] for name, settings in types]
    runtime: Any = Annotated[reduce(or_, tagged), Discriminator(_type_of)]
    several: Any = _Several[runtime]
    return create_model("Settings", __base__=Settings, models_runtime=(several, ...))


def _type_of(runtime: Any) -> str:
    """Return the type of a runtime as written in the file, or the default if it has none."""
    named = runtime.type if isinstance(runtime, Runtime) else DEFAULT_TYPE
    if isinstance(runtime, dict):
        named = runtime.get("type", named)
    return named if isinstance(named, str) else ""
