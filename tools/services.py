"""Look up the ECS services of a deployed compute stack."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.preflight.finding import Account
from tools.stacks import stack_outputs

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_MAX_SERVICES_PER_CALL = 10  # of describe_services


@dataclass(frozen=True, kw_only=True)
class Services:
    """The cluster, its services by the name of their runtime, and the other outputs of the compute stack."""

    cluster: str
    by_runtime: Mapping[str, str]
    outputs: Mapping[str, str]

    @staticmethod
    def read(account: Account) -> "Services | None":
        """Return the services of the deployed compute stack, or None if it is not deployed."""
        name = f"{account.settings.stack_name}-compute"
        outputs = stack_outputs(account.client("cloudformation"), name)
        if "ClusterName" not in outputs:
            return None
        return Services(
            cluster=outputs["ClusterName"],
            by_runtime=json.loads(outputs.get("Services", "{}")),
            outputs=outputs,
        )

    def existing_runtimes(self, ecs: "ECSClient") -> set[str]:
        """Return the runtimes whose service exists."""
        runtimes = {service: runtime for runtime, service in self.by_runtime.items()}
        return {
            runtimes[service["serviceName"]]
            for batch in _batches(runtimes, _MAX_SERVICES_PER_CALL)
            for service in ecs.describe_services(cluster=self.cluster, services=batch)["services"]
            if service["status"] == "ACTIVE"
        }


def runtimes_without_service(account: Account) -> list[str]:
    """Return the runtimes of the settings whose service does not exist yet."""
    services = Services.read(account)
    existing = set() if services is None else services.existing_runtimes(account.client("ecs"))
    return [runtime.name for runtime in account.settings.models_runtime if runtime.name not in existing]


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    all_names = list(names)
    yield from (all_names[start : start + size] for start in range(0, len(all_names), size))
