"""The worker put together from its settings."""

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters.orphans import OrphanCleaner
from adapters.results import Results
from adapters.table import Table
from container.consumer.engines.gpu import Gpu
from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.health import Health
from container.consumer.engines.sdwebui.models.wiring import wire_models
from container.consumer.inputs.fetch import Links
from container.consumer.lifecycle.claim import Claimer
from container.consumer.lifecycle.finish import Finisher
from container.consumer.lifecycle.linked_inputs import LinkedInputs
from container.consumer.lifecycle.outputs import Store
from container.consumer.lifecycle.prepare import Preparation
from container.consumer.liveness.heartbeat import Heartbeat
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.parts import Parts
from container.consumer.queue import SqsQueue
from container.consumer.scheduling.batching import CheckpointBatcher
from container.consumer.scheduling.duration import DurationEstimator
from container.consumer.scheduling.registry import WorkerRegistry
from container.consumer.settings import Settings
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.worker_metrics import WorkerMetrics
from container.consumer.telemetry.xray import Tracer
from domain.routing import Runtime

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 5
"""What botocore attempts before a stage sees an error; the lease is renewed beside it."""


class Clients(Protocol):
    """Make clients of AWS's services, as `boto3.client` does."""

    def __call__(self, service: Any, /, *, config: Config) -> Any:
        """Return a client."""


def wire(settings: Settings, client: Clients = boto3.client) -> Parts:
    """Build clients and parts; nothing is received before the worker runs."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=20,
    )
    s3 = client("s3", config=config)
    dynamodb = client("dynamodb", config=config)
    table = Table(dynamodb, settings.task_table)
    queue = SqsQueue(
        client("sqs", config=config),
        settings.task_queue_url,
        visibility_seconds=settings.visibility_seconds,
    )
    worker = _worker_name()
    registry = (
        WorkerRegistry(dynamodb, settings.task_table, runtime=settings.runtime_name, worker=worker)
        if settings.dynamic_model
        else None
    )
    window = CheckpointBatcher(
        queue,
        size=settings.model_window if settings.dynamic_model else 1,
        max_overtakes=settings.max_overtakes,
        max_seconds=settings.max_overtake_seconds,
        consumers=lambda: registry.count if registry else 1,
    )

    def at_work() -> None:
        if not measures.gpu.on:
            return  # a worker whose engine is not ready takes no share of the backlog
        window.refresh()
        if registry:
            registry.renew(seconds=settings.visibility_seconds)

    def sign_off() -> None:
        if registry:
            with suppress(ClientError, BotoCoreError):  # its entry runs out by itself
                registry.leave()

    callbacks = Results(client("sns", config=config), settings.result_topic_arn, table)
    webui = WebUi(settings.webui_url, inference_timeout_seconds=settings.inference_timeout_seconds)
    models = wire_models(settings, webui, dynamic=settings.dynamic_model)
    store = Store(s3, settings.output_bucket, table)
    orphans = OrphanCleaner(s3, settings.output_bucket)
    measures = TaskMetrics(
        settings.metrics_namespace,
        settings.runtime_name,
        tracer=Tracer(client("xray", config=config)) if settings.tracing else None,
    )
    window.gpu = measures.gpu
    outcomes = Finisher(queue, table, callbacks, store, orphans, settings.retry_delay_seconds, measures)
    pace = DurationEstimator()
    gpu = Gpu(webui, models, pace, clock=measures.gpu)
    heartbeat = Heartbeat(
        queue,
        table,
        lease_seconds=settings.visibility_seconds,
        observe=gpu.observe,
        on_stop=gpu.stop,
        waiting=window.deliveries,
        at_work=at_work,
        file=Path(settings.heartbeat_file) if settings.heartbeat_file else None,
    )
    protection = Protection(settings.ecs_agent_uri, busy=lambda: bool(heartbeat.jobs()))
    return Parts(
        webui=webui,
        gpu=gpu,
        health=Health(webui),
        protection=protection,
        pace=pace,
        window=window,
        intake=Claimer(
            window,
            queue,
            table,
            outcomes,
            runtime=settings.runtime_name,
            worker=worker,
            lease_seconds=settings.visibility_seconds,
            protect=protection.acquire,
        ),
        preparation=Preparation(
            s3,
            settings.task_bucket,
            runtime=Runtime(
                name=settings.runtime_name,
                type=settings.runtime_type,
                model_filename=settings.model_filename or None,
                refiner_filename=settings.refiner_filename or None,
                dynamic_model=settings.dynamic_model,
                scripts=settings.allowed_scripts,
            ),
            inputs=LinkedInputs(
                Links(
                    s3_client=s3,
                    buckets=settings.readable_buckets,
                    allow_private=settings.allow_private_inputs,
                ),
                settings.limits,
            ),
            models=models,
            catalogue=Catalogue(webui),
            limits=settings.limits,
        ),
        store=store,
        outcomes=outcomes,
        heartbeat=heartbeat,
        table=table,
        callbacks=callbacks,
        lease_seconds=settings.visibility_seconds,
        prefetch=settings.prefetch,
        sign_off=sign_off,
        pulse=WorkerMetrics(measures, webui, seconds=settings.metrics_seconds),
        notify_running=settings.notify_running,
    )


def _worker_name() -> str:
    """Return a name that no other worker has: the host's, the process's, and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
