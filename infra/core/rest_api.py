"""API Gateway in front of the API's Lambda."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from domain.api_routes import CONSOLE, ROUTES, WAIT, Route
from infra.core.gateway_responses import add_gateway_responses
from infra.settings.deployment import ApiGateway

# A usage plan does not apply to requests without a key, which anyone can send.
_PAGES_PER_SECOND: Final = 5
_PAGE_BURST: Final = 20


class RestApi(Construct):
    """A REST API with API keys in one throttling usage plan, whose routes call one function.

    Requests that wait, and those for the console, call functions of their own, and have throttles of their
    own.

    Data traces are off and the access log lists single fields, because the event contains the API key.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        function: lambda_.IFunction,
        wait_function: lambda_.IFunction,
        console_function: lambda_.IFunction | None,
        settings: ApiGateway,
        log_retention: logs.RetentionDays,
        tracing: bool,
    ) -> None:
        super().__init__(scope, id_)
        self.access_log = access_log = logs.LogGroup(
            self, "AccessLog", retention=log_retention, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=cdk.Stack.of(self).stack_name,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            # This is a setting of the whole account, on which other APIs may depend.
            cloud_watch_role_removal_policy=cdk.RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=settings.stage_name,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                # Those of each method would be billed; those of the whole API, which the dashboard and
                # the alarms use, are free.
                metrics_enabled=False,
                tracing_enabled=tracing,
                method_options={
                    **_throttle(WAIT, settings.waits.rate_limit, settings.waits.burst_limit),
                    **(_throttle(CONSOLE, _PAGES_PER_SECOND, _PAGE_BURST) if console_function else {}),
                },
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=_access_log_format(),
            ),
        )
        # The stack defines its outputs itself.
        self.api.node.try_remove_child("Endpoint")
        integration = apigateway.LambdaIntegration(function, allow_test_invoke=False)
        # Only existing routes and no proxy, so that other requests are refused without invoking the Lambda.
        wait_integration = apigateway.LambdaIntegration(wait_function, allow_test_invoke=False)
        for route in ROUTES:
            self.api.root.resource_for_path(route.path).add_method(
                route.method, wait_integration if route == WAIT else integration, api_key_required=True
            )
        if console_function:
            console_integration = apigateway.LambdaIntegration(console_function, allow_test_invoke=False)
            self.api.root.resource_for_path(CONSOLE.path).add_method(
                CONSOLE.method, console_integration, api_key_required=False
            )
        add_gateway_responses(self.api)
        throttle = apigateway.ThrottleSettings(
            rate_limit=settings.throttle.rate_limit, burst_limit=settings.throttle.burst_limit
        )
        plan = self.api.add_usage_plan("UsagePlan", throttle=throttle, quota=_quota(settings))
        plan.add_api_stage(stage=self.api.deployment_stage)
        self.key = self.api.add_api_key("Key")
        plan.add_api_key(self.key)
        self.further_keys = {name: self._key(name) for name in settings.keys}
        for key in self.further_keys.values():
            plan.add_api_key(key)

    def _key(self, name: str) -> apigateway.IApiKey:
        return self.api.add_api_key(f"Key{name}", api_key_name=f"{cdk.Stack.of(self).stack_name}-{name}")


def _throttle(route: Route, rate: float, burst: int) -> dict[str, apigateway.MethodDeploymentOptions]:
    """Return the stage's settings of a route with a throttle of its own."""
    return {
        f"{route.path}/{route.method}": apigateway.MethodDeploymentOptions(
            throttling_rate_limit=rate,
            throttling_burst_limit=burst,
            # What is set for all methods does not apply to one with options of its own.
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            data_trace_enabled=False,
            metrics_enabled=False,
        )
    }


def _quota(settings: ApiGateway) -> apigateway.QuotaSettings | None:
    if settings.quota is None:
        return None
    period = apigateway.Period[settings.quota.period]
    return apigateway.QuotaSettings(limit=settings.quota.limit, period=period)


def _access_log_format() -> apigateway.AccessLogFormat:
    context = apigateway.AccessLogField
    fields = {
        "requestId": context.context_request_id(),
        "apiKeyId": context.context_identity_api_key_id(),
        "sourceIp": context.context_identity_source_ip(),
        "httpMethod": context.context_http_method(),
        "resourcePath": context.context_resource_path(),
        "status": context.context_status(),
        "responseLength": context.context_response_length(),
        "responseLatency": context.context_response_latency(),
        "xrayTraceId": context.context_xray_trace_id(),
    }
    pairs = ",".join(f'"{name}":"{value}"' for name, value in fields.items())
    return apigateway.AccessLogFormat.custom("{" + pairs + "}")
