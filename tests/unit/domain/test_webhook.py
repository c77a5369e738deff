"""When the delivery of a webhook is tried again, and what the API shows of it."""

from datetime import timedelta

import pytest

from domain.clock import iso
from domain.webhook import DELAYS_SECONDS, DeliveryRecord
from tests.support.clock import NOW

RECORD = DeliveryRecord(
    task_id="t", submission_id="s", event="completed", url="https://user.example:8443/hook?token=1#x"
)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_2xx_status_delivers(status: int) -> None:
    record, delay = RECORD.after_attempt(status, NOW)
    assert (delay, record.delivered_at, record.is_final) == (None, iso(NOW), True)


def test_status_410_gone_ends_the_delivery() -> None:
    record, delay = RECORD.after_attempt(410, NOW)
    assert (delay, record.given_up, record.delivered_at) == (None, True, None)


@pytest.mark.parametrize("status", [None, 301, 302, 400, 404, 429, 500, 503])
def test_everything_else_is_tried_again_for_a_day(status: int | None) -> None:
    record, time, delays = RECORD, NOW, []
    while not record.is_final:
        record, delay = record.after_attempt(status, time)
        if delay:
            assert delay <= 12 * 3600, "SQS cannot hide a message for longer"
            assert record.seconds_until_next(time) == delay
            delays.append(delay)
            time += timedelta(seconds=delay)
    assert delays == list(DELAYS_SECONDS) == sorted(delays)
    assert timedelta(hours=23) <= time - NOW <= timedelta(hours=25)
    assert (record.given_up, record.attempts, record.last_status) == (True, len(delays) + 1, status)


def test_a_delivery_can_begin_again_and_keeps_its_count() -> None:
    record, _ = RECORD.after_attempt(410, NOW)
    restarted, delay = record.with_new_series().after_attempt(503, NOW)
    assert (restarted.attempts, delay, restarted.webhook_id) == (2, DELAYS_SECONDS[0], RECORD.webhook_id)


def test_the_query_of_the_url_is_not_shown() -> None:
    assert RECORD.as_response()["url"] == "https://user.example:8443/hook"
