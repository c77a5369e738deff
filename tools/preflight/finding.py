"""The types of the checks: what they get, and what they return."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.settings.deployment import Settings


class Verdict(StrEnum):
    """Whether a deployment can go on."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line: what was checked, the verdict, and if it is not ok what to do."""

    subject: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account and region to deploy to, and what is already deployed there.

    `client` returns a boto3 client by the name of its service. `outputs` are those of the core stack, empty
    if it is not deployed yet.
    """

    settings: Settings
    account: str
    region: str
    client: Callable[[str], Any]
    outputs: Mapping[str, str] = field(default_factory=dict)


Check = Callable[[Account], Iterator[Finding]]


def ok(subject: str, text: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(subject=subject, verdict=Verdict.OK, text=text)


def warning(subject: str, text: str) -> Finding:
    """Return a finding that does not prevent a deployment."""
    return Finding(subject=subject, verdict=Verdict.WARNING, text=text)


def failed(subject: str, text: str) -> Finding:
    """Return a finding with which the deployment would not work."""
    return Finding(subject=subject, verdict=Verdict.FAILED, text=text)


def run_checks(checks: Mapping[str, Check], account: Account) -> Iterator[Finding]:
    """Run all checks; one that AWS does not answer becomes a warning with the reason."""
    for subject, check in checks.items():
        try:
            yield from check(account)
        except (ClientError, BotoCoreError) as error:
            yield warning(subject, f"not checked: {' '.join(str(error).split())}")
