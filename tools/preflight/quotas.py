"""Check quotas: vCPUs of GPU instances, and concurrent executions of Lambda."""

from collections.abc import Iterator
from typing import Final

from functions.api.waiting import MAX_SECONDS
from tools.preflight.finding import Account, Finding, failed, ok, warning
from tools.preflight.instances import Demand, usable_types, vcpu_demand

# Quotas of EC2 by the first letter of the instance type: on-demand, spot.
_QUOTAS: Final = {"g": ("L-DB2E81BA", "L-3819A6DF"), "p": ("L-417A185B", "L-7212CCBC")}
# Spot instances of type p5 have a quota of their own.
_P5: Final = ("p5", "L-C4BD4855")

_LAMBDA_CONCURRENCY: Final = "L-B99A9384"
_NEW_ACCOUNT_CONCURRENCY: Final = 10
# Lambda refuses a reservation that leaves less than this to the functions without one.
_MIN_UNRESERVED_CONCURRENCY: Final = 100


def vcpus(account: Account) -> Iterator[Finding]:
    """Compare the vCPU quotas with what all runtimes together can ask for."""
    demand_by_quota: dict[str, Demand] = {}
    for runtime in account.settings.models_runtime:
        usable = usable_types(account, runtime)
        if not usable:
            continue  # `places.instance_types` reports it
        # ECS usually launches the smallest.
        smallest = min(usable, key=lambda offer: usable[offer])
        for spot in (False, True):
            demand = vcpu_demand(runtime, usable[smallest], spot=spot)
            if demand.one_task:
                code = _quota_of(smallest.name, spot=spot)
                demand_by_quota[code] = demand_by_quota.get(code, Demand()) + demand
    for code, demand in sorted(demand_by_quota.items()):
        yield _compare_quota(account, code, demand)


def _quota_of(instance_type: str, *, spot: bool) -> str:
    prefix, code = _P5
    if spot and instance_type.startswith(prefix):
        return code
    return _QUOTAS.get(instance_type[0], _QUOTAS["g"])[spot]


def _compare_quota(account: Account, code: str, demand: Demand) -> Finding:
    quota = account.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    subject, limit = f"vCPUs: {quota['QuotaName']}", int(quota["Value"])
    request = (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {code} --desired-value {demand.during_update}"
    )
    if limit < demand.one_task:
        text = (
            f"{limit}, but one ECS task needs {demand.one_task}, so no GPU can start: "
            f"run `{request}` and wait"
        )
        return failed(subject, text)
    if limit < demand.all_tasks:
        text = (
            f"{limit}, but the settings allow {demand.all_tasks}: reduce maxReplicaCount, or run `{request}`"
        )
        return warning(subject, text)
    if limit < demand.during_update:
        text = (
            f"{limit} is enough to run, but an update while all ECS tasks run needs {demand.during_update}: "
            f"update when fewer run, or run `{request}`"
        )
        return warning(subject, text)
    return ok(subject, f"{limit}, of which the settings can ask for {demand.during_update}")


def concurrency(account: Account) -> Iterator[Finding]:
    """Compare Lambda's quota with the settings' reservation and waits, and with that of a new account."""
    subject = "Lambda's concurrent executions"
    limit = account.client("lambda").get_account_settings()["AccountLimit"]
    total, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    reserved = account.settings.apigw.reserved_concurrency or 0
    waiting = account.settings.apigw.waits.rate_limit * MAX_SECONDS
    request = (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {_LAMBDA_CONCURRENCY} --desired-value 1000"
    )
    if reserved and not account.outputs and unreserved - reserved < _MIN_UNRESERVED_CONCURRENCY:
        text = (
            f"{unreserved} are not reserved, and APIGW.reservedConcurrency would leave fewer than "
            f"{_MIN_UNRESERVED_CONCURRENCY}: remove the key, or run `{request}`"
        )
        yield failed(subject, text)
    elif total <= _NEW_ACCOUNT_CONCURRENCY:
        text = (
            f"{total}, as in a new account: more requests at once are answered with errors. Run `{request}`"
        )
        if waiting > total / 2:
            text += f", and set APIGW.waits.rateLimit to {total / 2 / MAX_SECONDS:g} until then"
        yield warning(subject, text)
    elif waiting > total / 2:
        text = (
            f"{total}, of which requests that wait for a task may occupy {waiting:g}: "
            f"reduce APIGW.waits.rateLimit, or run `{request}`"
        )
        yield warning(subject, text)
    else:
        yield ok(subject, str(total))
