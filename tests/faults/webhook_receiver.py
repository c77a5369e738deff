"""Receives the webhooks of the soak's tasks, and refuses the first attempt of some."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from local.receiver import Request, run_receiver, signing_secret, verify_webhook
from tests.faults.deployed import Deployed

REFUSE_EVERY: Final = 4
"""Of every so many tasks, the first attempt of one webhook is refused."""


class WebhookReceiver:
    """Records the statuses that arrived, by task; `url` is the receiver's address."""

    def __init__(self, secret: str) -> None:
        self.url = ""
        self.statuses: dict[str, set[str]] = defaultdict(set)
        self.webhook_ids: dict[str, set[str]] = defaultdict(set)
        self.refused: set[str] = set()  # ids of webhooks
        self._secret = secret
        self._lock = threading.Lock()

    def status_for(self, request: Request) -> int:
        """Verify and record a request, unless it is one to refuse."""
        data = verify_webhook(request, self._secret)["data"]
        webhook_id = request.headers["webhook-id"]
        with self._lock:
            is_repeated = webhook_id in self.refused or webhook_id in self.webhook_ids[data["id"]]
            if not is_repeated and len(self.webhook_ids) % REFUSE_EVERY == 0:
                self.refused.add(webhook_id)
                return 503
            self.webhook_ids[data["id"]].add(webhook_id)
            self.statuses[data["id"]].add(data["status"])
        return 204


@contextmanager
def run_webhook_receiver(deployed: Deployed) -> Iterator[WebhookReceiver]:
    """Run a receiver until the block ends."""
    webhook_receiver = WebhookReceiver(signing_secret(deployed.aws, deployed.pipeline.deployment))
    with run_receiver(webhook_receiver.status_for) as receiver:
        webhook_receiver.url = receiver.url
        yield webhook_receiver
