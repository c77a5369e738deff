"""What a deployment can set, and what it may be."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator
from pydantic.alias_generators import to_camel

from domain.limits import DEFAULT_LIMITS
from domain.limits import Limits as DomainLimits

# RUNTIMES travels in the API Lambda's environment, which holds 4 KB in all; a runtime takes up to 300 bytes.
MAX_RUNTIMES = 10
MAX_SCRIPTS_BYTES = 600

Weight = StrictBool | Annotated[StrictInt, Field(ge=0, le=1000)]


_ModelFilename = Annotated[str, Field(max_length=255, pattern=r"^([^\x00-\x1f\x7f/][^\x00-\x1f\x7f]*)?$")]
_InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.([a-z0-9-]+|\*)$")]
_Script = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(str.lower)]
_Folder = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*[\x21-\x2e\x30-\x7e]$")]
_BucketArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False
    )


class Throttle(_Settings):
    """How many requests a second, and at once, an API key may send."""

    rate_limit: Annotated[float, Field(gt=0, le=10_000)] = 30
    burst_limit: Annotated[int, Field(gt=0, le=5_000)] = 50


class Quota(_Settings):
    """How many requests an API key may send in all, submitting and asking alike, in a period."""

    limit: Annotated[int, Field(ge=1, le=2**31 - 1)]
    period: Literal["DAY", "WEEK", "MONTH"] = "DAY"


class ApiGateway(_Settings):
    """The front door.

    Neither of the last two has a default. A quota counts reads too, and how often clients poll is theirs; AWS
    refuses to reserve what leaves the account fewer than 100, and a new account has 10.
    """

    stage_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,128}$")] = "dev"
    throttle: Throttle = Throttle()
    quota: Quota | None = None
    reserved_concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Scaling(_Settings):
    """How the service of a runtime follows its queue.

    `queue_length` is the backlog that one GPU is meant to carry, `cooldown_period` the seconds an
    empty queue waits before the service shrinks.
    """

    queue_length: Annotated[int, Field(ge=1, le=10_000)] = 10
    min_replica_count: Annotated[int, Field(ge=0, le=1000)] = 0
    max_replica_count: Annotated[int, Field(ge=1, le=1000)] = 5
    cooldown_period: Annotated[int, Field(ge=60, le=7200)] = 300

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replica_count > self.max_replica_count:
            raise ValueError("minReplicaCount must not be above maxReplicaCount")
        return self


class Capacity(_Settings):
    """What instances are bought: `true` is weight 1, `false` is weight 0, a number is the weight itself."""

    on_demand: Weight = True
    spot: Weight = False

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.on_demand and not self.spot:
            raise ValueError("one of onDemand and spot must be on")
        return self


class WebUi(_Settings):
    """The SD Web UI image of a runtime, and how it is started and probed.

    The defaults fit the public image that the ancestor deploys. Where `environment` is given, the
    container gets exactly that; else what that image reads (`infra.webui_environment`).
    """

    image: Annotated[str, Field(min_length=1)] = "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest"
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    model_directory: _Folder = "/opt/ml/code/models"
    health_path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] = "/sdapi/v1/memory"


class TaskSize(_Settings):
    """What one ECS task asks of its instance beside the GPU; the smallest allowed instance must offer it.

    Less than the instance has: the agent and the system take their part (g5.2xlarge: 8 vCPUs, 32 GiB).
    """

    vcpus: Annotated[int, Field(ge=1, le=192)] = 4
    memory_gib: Annotated[int, Field(ge=4, le=2048)] = 24


class Storage(_Settings):
    """Where an instance keeps images, checkpoints and temporary files.

    `instance_store` uses the instance's own NVMe disks where it has them, instead of an EBS volume of
    `volume_gib` (ECS Managed Instances allow 30 to 16,384).
    """

    instance_store: bool = True
    volume_gib: Annotated[int, Field(ge=30, le=16_384)] = 150


class Runtime(_Settings):
    """One SD Web UI with its queue and its service."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,39}$")]
    type: Literal["sdwebui"] = "sdwebui"
    model_filename: _ModelFilename = ""
    # A second checkpoint that a static runtime serves in the midst of a task.
    refiner_filename: _ModelFilename = ""
    dynamic_model: bool = False
    scaling: Scaling = Scaling()
    instance_types: Annotated[tuple[_InstanceType, ...], Field(min_length=1, max_length=20)] = (
        "g6.2xlarge",
        "g5.2xlarge",
    )
    capacity: Capacity = Capacity()
    task_size: TaskSize = TaskSize()
    storage: Storage = Storage()
    # The cooldown has already waited for more work; this is for an instance that is replaced in between.
    idle_instance_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    webui: WebUi = WebUi()
    # Folders of the model bucket to fetch whole before SD Web UI starts; None: the consumer's list.
    sync_folders: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_./-]*$")], ...] | None = None
    # Budget of fetched models; 0: as much as the disk has.
    model_cache_gib: Annotated[int, Field(ge=0, le=16_384)] = 0
    # How many checkpoints SD Web UI keeps in the task's memory beside the GPU; 0: its own setting.
    checkpoints_in_memory: Annotated[int, Field(ge=0, le=100)] = 0
    prefetch: Annotated[int, Field(ge=0, le=10)] = 2
    inference_timeout_seconds: Annotated[int, Field(ge=10, le=7200)] = 900
    notify_running: bool = False
    # Names that `script_name` and `alwayson_scripts` may use; without the key all but a few may be used.
    scripts: Annotated[tuple[_Script, ...], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.dynamic_model and not self.model_filename:
            raise ValueError("a runtime without dynamicModel needs a modelFilename")
        for key, name in (("modelFilename", self.model_filename), ("refinerFilename", self.refiner_filename)):
            if ".." in name.split("/"):
                raise ValueError(f"{key} must not leave the model folder")
        if self.refiner_filename and self.dynamic_model:
            raise ValueError("refinerFilename is for a runtime without dynamicModel: this one serves any")
        return self


class Limits(_Settings):
    """What one task may ask for, whichever runtime it goes to (`domain.limits.Limits`).

    `body_bytes` and `nesting` can only be lowered: Lambda takes no more bytes, DynamoDB no more levels.
    """

    body_bytes: Annotated[int, Field(ge=1024, le=DEFAULT_LIMITS.body_bytes)] = DEFAULT_LIMITS.body_bytes
    nesting: Annotated[int, Field(ge=8, le=DEFAULT_LIMITS.nesting)] = DEFAULT_LIMITS.nesting
    links: Annotated[int, Field(ge=0, le=256)] = DEFAULT_LIMITS.links
    input_bytes: Annotated[int, Field(ge=1024, le=2**30)] = DEFAULT_LIMITS.input_bytes
    images: Annotated[int, Field(ge=1, le=1000)] = DEFAULT_LIMITS.images
    pixels: Annotated[int, Field(ge=4096, le=16384**2)] = DEFAULT_LIMITS.pixels
    upscaled_pixels: Annotated[int, Field(ge=4096, le=16384**2)] = DEFAULT_LIMITS.upscaled_pixels
    steps: Annotated[int, Field(ge=1, le=10_000)] = DEFAULT_LIMITS.steps
    work: Annotated[int, Field(ge=1_000_000, le=10**15)] = DEFAULT_LIMITS.work
    prompt_characters: Annotated[int, Field(ge=1, le=DEFAULT_LIMITS.body_bytes)] = (
        DEFAULT_LIMITS.prompt_characters
    )

    def as_domain(self) -> DomainLimits:
        """Return the limits as API and consumer know them."""
        return DomainLimits(**self.model_dump())


class Network(_Settings):
    """Where the GPU tasks run: a new VPC, or an existing one by its id."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")] | None = None


class Alarms(_Settings):
    """When somebody is told, and who: without `email`, subscribe to the topic `AlarmTopicArn`."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    oldest_task_seconds: Annotated[int, Field(ge=60, le=1_209_600)] = 1800
    failure_percent: Annotated[float, Field(gt=0, le=100)] = 20
    # From zero, an instance comes, pulls images, fetches checkpoints and starts SD Web UI.
    no_consumer_minutes: Annotated[int, Field(ge=5, le=1440)] = 20


class Settings(_Settings):
    """A whole deployment: what `config.yaml` says, or its defaults."""

    stack_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,99}$")] = "sdonecs"
    model_bucket_arn: _BucketArn | None = None
    apigw: Annotated[ApiGateway, Field(alias="APIGW")] = ApiGateway()
    models_runtime: Annotated[tuple[Runtime, ...], Field(min_length=1, max_length=MAX_RUNTIMES)]
    limits: Limits = Limits()
    network: Network = Network()
    # Buckets beside the upload and output buckets that a task's s3:// links may name.
    input_buckets: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")], ...] = ()
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    enable_execute_command: bool = False
    # X-Ray: API Gateway, the Lambdas, the consumer. Its own sampling keeps it cheap.
    tracing: bool = True
    alarms: Alarms = Alarms()

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [runtime.name for runtime in self.models_runtime]
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            raise ValueError(f"modelsRuntime names must differ; twice: {', '.join(again)}")
        return self

    @model_validator(mode="after")
    def _scripts_fit(self) -> Self:
        names = [name for runtime in self.models_runtime for name in runtime.scripts or ()]
        if len("".join(names).encode()) > MAX_SCRIPTS_BYTES:
            raise ValueError(f"the scripts of all runtimes must have at most {MAX_SCRIPTS_BYTES} bytes")
        return self
