"""Webhooks reach no address that links of inputs may not reach, neither at submit nor at delivery."""

from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest

from domain.webhook import WebhookRules
from functions.api.webhook_field import check_webhook
from functions.webhooks.receiver import DeliveryFailed, WebhookSender
from tests.security.cases import DATA
from tests.support.internet import FakeInternet

ALL_SCHEMES = WebhookRules(allow_http=True)


def _sender(internet: FakeInternet) -> WebhookSender:
    return WebhookSender(
        rules=ALL_SCHEMES,
        seconds=20,
        resolve=internet.resolve,
        connect=internet.connect,
        tls=internet.trust,
    )


def _host(address: str) -> str:
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address


@pytest.mark.parametrize("address", DATA["addresses"])
def test_an_inside_address_is_refused_at_submit_and_at_delivery(internet: FakeInternet, address: str) -> None:
    url = f"http://{_host(address)}/hook"
    webhook, faults = check_webhook(url, "/webhook", ALL_SCHEMES)
    assert webhook is None
    assert [fault.path for fault in faults] == ["/webhook"]

    internet.reset(names={"inside.example": [address]})
    for target in (url, "https://inside.example/hook"):
        with pytest.raises(DeliveryFailed):
            _sender(internet).post(target, b"{}", {})
    assert internet.connected == []


@pytest.mark.parametrize("entry", DATA["links"], ids=lambda entry: str(entry["why"]))
def test_a_link_that_is_never_followed_gets_no_webhook(internet: FakeInternet, entry: dict[str, Any]) -> None:
    internet.reset(names=entry.get("names"))
    with pytest.raises(DeliveryFailed):
        _sender(internet).post(entry["link"], b"{}", {})
    assert internet.connected == []


@pytest.mark.parametrize("entry", DATA["redirects"], ids=lambda entry: str(entry["why"]))
def test_a_redirect_is_an_answer_and_not_followed(internet: FakeInternet, entry: dict[str, Any]) -> None:
    to = [str(target).encode() for target in entry["to"][:1]]
    internet.reset(redirects=dict.fromkeys(["/go"], to[0]))
    with suppress(DeliveryFailed):  # one whose connection ends before the request was sent
        assert 300 <= _sender(internet).post("http://photos.example/go", b"{}", {}) < 400
    assert len(internet.connected) == 1


@pytest.mark.parametrize("entry", DATA["certificates"], ids=lambda entry: str(entry["why"]))
def test_nothing_is_sent_to_a_server_that_is_not_who_it_says(
    internet: FakeInternet, entry: dict[str, Any]
) -> None:
    if "to" in entry:
        pytest.skip("a redirect, which webhooks do not follow")
    internet.reset()
    with pytest.raises(DeliveryFailed, match="TLS"):
        _sender(internet).post(entry["link"], b"{}", {})
    assert not internet.tls.requests


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        (7, ["/w"]),
        ("", ["/w"]),
        ({}, ["/w/url"]),
        ({"url": 7}, ["/w/url"]),
        ({"url": "https://ok.example", "events": []}, ["/w/events"]),
        ({"url": "https://ok.example", "events": ["completed", "done", 1]}, ["/w/events/1", "/w/events/2"]),
        ({"url": "https://ok.example", "secret": "x"}, ["/w/secret"]),
        ({"url": "http://ok.example", "events": "completed"}, ["/w/events", "/w/url"]),
        ("http://ok.example", ["/w"]),
        ("ftp://ok.example", ["/w"]),
        ("s3://bucket/key", ["/w"]),
        ("https://user:password@ok.example/", ["/w"]),
        ("https://ok.example:22/", ["/w"]),
        ("https://b\u00fccher.example/", ["/w"]),
        ("https://ok.example/\r\nX: y", ["/w"]),
        ("https://2130706433/", ["/w"]),
        ("https://" + "a" * 10_000, ["/w"]),
    ],
)
def test_a_webhook_that_can_never_be_delivered_is_refused_at_its_place(value: Any, paths: list[str]) -> None:
    webhook, faults = check_webhook(value, "/w", WebhookRules())
    assert webhook is None
    assert sorted(fault.path for fault in faults) == sorted(paths)
    assert "password" not in str([fault.message for fault in faults if "user:password" in fault.message])


def test_a_url_or_an_object_is_a_webhook() -> None:
    plain, _ = check_webhook("https://ok.example/hook?token=1", "/w", WebhookRules())
    assert plain is not None
    assert plain.events == ("completed", "failed", "cancelled")
    chosen, _ = check_webhook(
        {"url": "http://ok.example", "events": ["running", "failed", "failed"]}, "/w", ALL_SCHEMES
    )
    assert chosen is not None
    assert chosen.events == ("failed", "running")
    assert check_webhook(None, "/w", WebhookRules()) == (None, [])
