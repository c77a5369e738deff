"""What neither the settings nor the templates say: sizes, durations, and how often something happens."""

from typing import Final

IMAGE_SECONDS: Final = 1.5
"""GPU time of an image: the average request of AWS's Guidance, for comparison."""

ENGINE_IMAGE_GB: Final = 4.0
"""The image of the inference server, compressed."""

MODEL_GB: Final = 4.3
"""Models that are stored and fetched: one checkpoint of SD 1.5."""

TABLE_GB: Final = 0.1
"""Rows of tasks that have not expired, and their backup."""

NAT_DISK_GB: Final = 8
"""The disk of Amazon Linux 2023."""

FUNCTION_SECONDS: Final = 0.3
"""A scheduled invocation: two or three calls to AWS."""

INVOCATION_LOG_KB: Final = 1.0
"""What an invocation writes to its log."""

POLLS_PER_MINUTE: Final = 15
"""How often Lambda asks an empty queue: five pollers, twenty seconds each (Lambda, "Using Amazon SQS")."""

CONTAINER_INSIGHTS_METRICS: Final = 15
"""Metrics of a cluster and one service without tasks."""

METRICS_PER_METHOD: Final = 5
"""With detailed metrics, API Gateway sends these for a method that is called: count, latencies, errors."""

ORDER_SECONDS: Final = 30.0
"""From the order of a GPU to the start of billing, when EC2 reports the instance as running."""

STOP_SECONDS: Final = 10.0
"""From the signal to stop until the containers of an idle worker have ended."""


# --- for each image, which is the only one of its task
# -----------------------------------------------------------------

API_GB_SECONDS: Final = 1.73 * 0.05
"""Memory of the API's function times its duration."""
SCALER_GB_SECONDS: Final = 0.25 * 0.3 * 0.3
"""The scaler checks at most once a second, in which five GPUs make three images."""
API_REQUESTS: Final = 1
"""The submit only: the caller waits for the callback and does not poll."""
SNS_PUBLISHES: Final = 2
"""The task and the callback; deliveries to queues are free."""
SQS_REQUESTS: Final = 3.5
"""Receive, delete, a share of the depth readings and of the scaler's events."""
SQS_FAIR_REQUESTS: Final = 3
"""Delivery, receive, delete: each message has a group."""
CONTENT_BYTES: Final = 1000
"""What a task asks for; it is part of its row until the outcome."""
ROW_READS: Final = 6
"""Of the task's row in the table: by the API, the consumer and its heartbeats."""
QUEUED_ENTRY_BYTES: Final = 400
"""An entry of a queued task in the index by runtime and status, with the attributes of lists and its cost."""
OBJECTS: Final = 2
"""The image and its `.out`."""
OBJECT_KB: Final = 150.0
"""Stored for one month, as in AWS's Guidance."""
LOG_KB: Final = 4.0
"""API Gateway, the API's function, the consumer."""
NAT_KB: Final = 20.0
"""Calls to SQS, SNS, ECS and CloudWatch Logs."""
TRACES: Final = 0.1
"""X-Ray samples the first request of each second and a twentieth of the others."""
