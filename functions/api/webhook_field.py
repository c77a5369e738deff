"""Check the webhook of a request."""

from collections.abc import Mapping
from typing import Any

from adapters.public_http.addresses import Address, is_public
from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink, S3Link, parse
from domain.errors import Fault
from domain.webhook import EVENTS, FINAL_EVENTS, Webhook, WebhookRules

_EXPECTED = (
    f'a URL, or {{"url": "https://…", "events": […]}}, is expected; the events are {", ".join(EVENTS)}'
)


def check_webhook(value: Any, path: str, rules: WebhookRules) -> tuple[Webhook | None, list[Fault]]:
    """Return the webhook, if there is one, and the faults in it.

    A host name is resolved, and its addresses are checked, at each delivery.
    """
    if value is None:
        return None, []
    url, events, faults = value, list(FINAL_EVENTS), []
    if isinstance(value, Mapping):
        faults += [
            Fault(f"{path}/{key}", "unknown field; the known fields are url, events")
            for key in value
            if key not in ("url", "events")
        ]
        url, path_of_url = value.get("url"), f"{path}/url"
        if "events" in value:
            events, event_faults = _check_events(value["events"], f"{path}/events")
            faults += event_faults
    else:
        path_of_url = path
    reason = _url_problem(url, rules)
    if reason:
        faults.append(Fault(path_of_url, reason))
    if faults:
        return None, faults
    return Webhook(str(url).strip(), tuple(event for event in EVENTS if event in events)), []


def _check_events(value: Any, path: str) -> tuple[list[str], list[Fault]]:
    if not isinstance(value, list) or not value:
        return [], [Fault(path, f"a list of one or more of {', '.join(EVENTS)} is expected")]
    faults = [
        Fault(f"{path}/{index}", f"one of {', '.join(EVENTS)} is expected")
        for index, event in enumerate(value)
        if not isinstance(event, str) or event not in EVENTS
    ]
    return value, faults


def _url_problem(url: Any, rules: WebhookRules) -> str | None:
    """Return why a URL cannot receive webhooks, None if it can."""
    if not isinstance(url, str) or not url:
        return _EXPECTED
    if not url.isascii():
        return "only ASCII is allowed: write an international host name in punycode, other characters encoded"
    try:
        link = parse(url)
    except InputError as error:
        return error.message
    return _link_problem(link, rules)


def _link_problem(link: HttpLink | S3Link, rules: WebhookRules) -> str | None:
    if isinstance(link, S3Link):
        return "an https URL is expected"
    if link.scheme != "https" and not rules.allow_http:
        return "only https is allowed (the operator of this service can allow http: webhooks.allowHttp)"
    if isinstance(link.host, Address) and not rules.allow_private and not is_public(link.host):
        return "its address is not on the public internet"
    return None
