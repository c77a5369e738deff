"""JSON Schemas of webhooks and their deliveries."""

from typing import Final

from domain.webhook import EVENTS, FINAL_EVENTS
from functions.api.schemas import TIME, Schema, closed_object, nullable

_WEBHOOK_URL: Final[Schema] = {
    "type": "string",
    "format": "uri",
    "description": "An https URL on the public internet, without a user or password.",
}

WEBHOOK_SCHEMAS: Final[dict[str, Schema]] = {
    "Webhook": {
        "anyOf": [
            _WEBHOOK_URL,
            closed_object(
                {
                    "url": _WEBHOOK_URL,
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "enum": list(EVENTS)},
                        "default": list(FINAL_EVENTS),
                    },
                },
                optional=("events",),
            ),
            {"type": "null"},
        ],
        "description": (
            "A URL to which the task's events are POSTed, signed by the Standard Webhooks specification."
        ),
    },
    "Delivery": closed_object(
        {
            "event": {"type": "string", "enum": list(EVENTS)},
            "url": {"type": "string", "description": "Without its query."},
            "delivered_at": nullable(TIME),
            "attempts": {"type": "integer", "minimum": 0},
            "last_status": {
                "type": ["integer", "null"],
                "description": "The receiver's last status; null if it has not answered.",
            },
            "next_attempt_at": nullable(TIME),
            "given_up": {"type": "boolean"},
        },
        description="What has become of one event of the task's webhook.",
    ),
}
"""The named schemas `Webhook` and `Delivery`."""
