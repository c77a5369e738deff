"""Receives the webhooks of the soak's tasks, and refuses the first attempt of some."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from local.receiver import Receiver, Request, run_receiver, signing_secret, verify_webhook
from tests.faults.deployed import Deployed

REFUSED_EVERY: Final = 4


class Hooks:
    """The outcomes that arrived, by task; `url` is that of the receiver."""

    def __init__(self, secret: str) -> None:
        self.url = ""
        self.statuses: dict[str, set[str]] = defaultdict(set)
        self.webhook_ids: dict[str, set[str]] = defaultdict(set)
        self.refused: set[str] = set()
        self._secret = secret
        self._lock = threading.Lock()

    def status_for(self, request: Request) -> int:
        """Verify and record a request, unless it is one to refuse."""
        data = verify_webhook(request, self._secret)["data"]
        webhook_id = request.headers["webhook-id"]
        with self._lock:
            known = webhook_id in self.refused or webhook_id in self.webhook_ids[data["id"]]
            if not known and len(self.webhook_ids) % REFUSED_EVERY == 0:
                self.refused.add(webhook_id)
                return 503
            self.webhook_ids[data["id"]].add(webhook_id)
            self.statuses[data["id"]].add(data["status"])
        return 204


@contextmanager
def receiving_hooks(deployed: Deployed) -> Iterator[Hooks]:
    """Run a receiver until the block ends."""
    hooks = Hooks(signing_secret(deployed.aws, deployed.pipeline.deployment))
    receiver: Receiver
    with run_receiver(hooks.status_for) as receiver:
        hooks.url = receiver.url
        yield hooks
