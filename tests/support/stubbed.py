"""AWS clients whose responses a test supplies.

botocore checks the parameters of each call and the responses against its models of the services.
"""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.stub import Stubber

from infra.settings.reading import parse
from tools.preflight.finding import Account


class StubbedClients:
    """Clients whose calls, for each service, must come in the order in which their responses were added."""

    def __init__(self) -> None:
        self._session = boto3.session.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service; a call for which no response was added raises an error."""
        if service not in self._clients:
            self._clients[service] = client = self._session.client(service)
            self._stubs[service] = stub = Stubber(client)
            stub.activate()
        return self._clients[service]

    def add_response(
        self, service: str, operation: str, response: dict[str, Any], parameters: dict[str, Any] | None = None
    ) -> None:
        """Respond to the next call with `response`; it must have these parameters, or with None any."""
        self.client(service)
        self._stubs[service].add_response(operation, response, parameters)

    def add_error(self, service: str, operation: str, code: str) -> None:
        """Respond to the next call with the error of this code."""
        self.client(service)
        self._stubs[service].add_client_error(operation, code, f"{code} on purpose")

    def account(
        self, settings: str, *, outputs: Mapping[str, str] | None = None, region: str = "us-east-1"
    ) -> Account:
        """Return what the tools know of an account: settings (the text of a settings file), stack outputs."""
        return Account(
            settings=parse(settings)[0],
            account="111122223333",
            region=region,
            client=self.client,
            outputs=outputs or {},
        )

    def assert_all_called(self) -> None:
        """Fail if a response that was added has not been requested."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()
