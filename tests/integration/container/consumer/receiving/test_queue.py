"""A released message is visible at once, whatever the heartbeat does at the same time."""

import threading

from container.consumer.receiving.queue import SqsQueue
from local.emulator import Emulator
from tests.support.cloud import Cloud
from tests.support.proxy import running_proxy

LEASE_SECONDS = 600


def test_a_message_that_is_released_while_it_is_extended_is_visible(cloud: Cloud, task_id: str) -> None:
    cloud.submit(task_id)
    with running_proxy(cloud.aws.endpoint_url) as proxy:
        client = Emulator(proxy.url, cloud.aws.process, cloud.aws.folder).client("sqs")
        queue = SqsQueue(client, cloud.queue_url, visibility_seconds=LEASE_SECONDS)
        (delivery,) = queue.receive(wait_seconds=5)
        hold = proxy.hold("SQS.ChangeMessageVisibilityBatch")
        heartbeat = threading.Thread(target=queue.extend, args=([delivery], LEASE_SECONDS))
        heartbeat.start()
        hold.wait()
        release = threading.Thread(target=queue.release, args=(delivery, 0))
        release.start()
        release.join(0.5)  # long enough for a call that waits for nothing
        hold.release()
        release.join()
        heartbeat.join()
        assert cloud.message_counts() == (1, 0)
        queue.extend([delivery], LEASE_SECONDS)  # by a heartbeat that still has it in its list
        assert cloud.message_counts() == (1, 0)
