"""The ECS services of a deployed compute stack."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.preflight.finding import Account
from tools.stacks import stack_outputs

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_MAX_SERVICES = 10  # what describe_services takes at once


@dataclass(frozen=True, kw_only=True)
class Services:
    """The cluster, its services by the name of their runtime, and the other outputs of the compute stack."""

    cluster: str
    by_runtime: Mapping[str, str]
    outputs: Mapping[str, str]

    @staticmethod
    def of(account: Account) -> "Services | None":
        """Return those of the deployed compute stack, or None if it is not deployed."""
        name = f"{account.settings.stack_name}-compute"
        found = stack_outputs(account.client("cloudformation"), name)
        if "ClusterName" not in found:
            return None
        return Services(
            cluster=found["ClusterName"], by_runtime=json.loads(found.get("Services", "{}")), outputs=found
        )

    def running(self, ecs: "ECSClient") -> set[str]:
        """Return the runtimes whose service exists."""
        names = {service: runtime for runtime, service in self.by_runtime.items()}
        return {
            names[service["serviceName"]]
            for part in _batches(names, _MAX_SERVICES)
            for service in ecs.describe_services(cluster=self.cluster, services=part)["services"]
            if service["status"] == "ACTIVE"
        }


def runtimes_without_service(account: Account) -> list[str]:
    """Return the runtimes of the settings whose service does not exist yet."""
    services = Services.of(account)
    running = set() if services is None else services.running(account.client("ecs"))
    return [runtime.name for runtime in account.settings.models_runtime if runtime.name not in running]


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    every = list(names)
    yield from (every[start : start + size] for start in range(0, len(every), size))
