"""Clients of AWS whose answers a test gives; botocore checks them, and the calls, against its models."""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.stub import Stubber

from infra.settings.reading import parse
from tools.preflight.finding import Account


class Stubbed:
    """Answers calls in the order in which they were added, for each service."""

    def __init__(self) -> None:
        self._session = boto3.session.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service; a call without an answer raises an error."""
        if service not in self._clients:
            self._clients[service] = client = self._session.client(service)
            self._stubs[service] = stub = Stubber(client)
            stub.activate()
        return self._clients[service]

    def answers(
        self, service: str, operation: str, answer: dict[str, Any], parameters: dict[str, Any] | None = None
    ) -> None:
        """Answer the next call, which must have sent these parameters."""
        self.client(service)
        self._stubs[service].add_response(operation, answer, parameters)

    def refuses(self, service: str, operation: str, code: str) -> None:
        """Answer the next call with an error."""
        self.client(service)
        self._stubs[service].add_client_error(operation, code, f"{code} it is")

    def account(
        self, settings: str, *, outputs: Mapping[str, str] | None = None, region: str = "us-east-1"
    ) -> Account:
        """Return an account with these settings, given as the text of a settings file."""
        return Account(
            settings=parse(settings)[0],
            account="111122223333",
            region=region,
            client=self.client,
            outputs=outputs or {},
        )

    def all_asked(self) -> None:
        """Raise an error if an answer was not used."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()
