"""The API's routes: parse, call, answer."""

import os
from dataclasses import dataclass

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from domain import v1alpha1, v1alpha2
from domain.envelope import Submission
from functions.api import answers
from functions.api.errors import answer, turn_errors_into_answers
from functions.api.requests import base_url, json_body
from functions.api.submit import Submit
from functions.environment import ApiEnvironment


@dataclass(frozen=True, kw_only=True)
class Services:
    """Hold what the routes call."""

    environment: ApiEnvironment
    submit: Submit


def create_app(services: Services) -> APIGatewayRestResolver:
    """Return the resolver of every route."""
    app = APIGatewayRestResolver()
    turn_errors_into_answers(app)
    runtimes = services.environment.runtimes

    def submitted(submission: Submission) -> Response[str]:
        outcome = services.submit(submission.task, trace=os.environ.get("_X_AMZN_TRACE_ID"))
        body = answers.accepted(
            submission.task,
            outcome,
            warnings=submission.warnings,
            bucket=services.environment.output_bucket,
            base_url=base_url(app.current_event),
        )
        return answer(body)

    @app.post("/v1alpha1")
    def submit_v1alpha1() -> Response[str]:
        return submitted(v1alpha1.decode(json_body(app.current_event), runtimes))

    @app.post("/v1alpha2")
    def submit_v1alpha2() -> Response[str]:
        return submitted(v1alpha2.decode(json_body(app.current_event), runtimes))

    return app
