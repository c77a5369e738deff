"""A replacement for the AWS CLI, made of botocore's models as it is: `python -m tests.support.aws_command`.

The CLI itself is no dependency: its package has 150 MB, lacks commands of version 2, and in `.venv/bin` it
would hide the one that a user has installed.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, UnknownServiceError
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

USAGE_STATUS: Final = 252
FAILED_STATUS: Final = 254
GLOBAL_OPTIONS: Final = {"--query", "--output", "--region", "--profile"}
OTHER_COMMANDS: Final = {
    ("s3", "cp"): {"--recursive"},
    ("s3", "ls"): {"--recursive"},
    ("s3", "rb"): {"--force"},
    ("logs", "tail"): {"--since", "--follow", "--format"},
}
"""Commands that are no operation of a service, with some of their options."""

RENAMED: Final = {("sns", "subscribe", "--endpoint"): "--notification-endpoint"}
"""Options that the CLI calls differently than the model."""


class UsageError(Exception):
    """The command has a mistake that AWS need not be asked about."""


@dataclass
class Parsed:
    """A command: its service, its operation, and what is sent."""

    service: str
    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    query: Any = None
    output: str = "json"
    model: OperationModel | None = None

    @property
    def faults(self) -> str:
        """What the service's model says about the parameters, such as one that is missing."""
        if self.model is None or self.model.input_shape is None:
            return ""
        return str(ParamValidator().validate(self.parameters, self.model.input_shape).generate_report())


def parse(arguments: Sequence[str]) -> Parsed:
    """Read the words after `aws`; raise `UsageError` for what no version of the CLI accepts."""
    if len(arguments) < 2:
        raise UsageError("aws SERVICE OPERATION")
    parsed = Parsed(arguments[0], arguments[1])
    groups = list(_options(arguments[2:]))
    if (parsed.service, parsed.operation) in OTHER_COMMANDS:
        known = OTHER_COMMANDS[parsed.service, parsed.operation] | GLOBAL_OPTIONS
        if unknown := [name for name, _ in groups if name and name not in known]:
            raise UsageError(f"unknown options: {unknown}")
        # An option such as --recursive has no value: what follows it is a name.
        valued = GLOBAL_OPTIONS | {"--since", "--format"}
        parsed.words = [word for name, words in groups for word in words[name in valued :]]
        return parsed
    parsed.model = _model(parsed.service, parsed.operation)
    members = parsed.model.input_shape.members if parsed.model.input_shape else {}
    own = {f"--{xform_name(name, '-')}": name for name in members}
    by_option = {
        RENAMED.get((parsed.service, parsed.operation, option), option): name for option, name in own.items()
    }
    for option, words in groups:
        if option in GLOBAL_OPTIONS:
            _set_global_option(parsed, option, words)
        elif option in by_option:
            member = by_option[option]
            parsed.parameters[member] = _value(option, members[member], words)
        elif option.replace("--no-", "--", 1) in by_option and not words:
            parsed.parameters[by_option[option.replace("--no-", "--", 1)]] = False
        else:
            raise UsageError(f"unknown option: {option} {words}")
    return parsed


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option with the words up to the next one; words before the first have an empty option."""
    option, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            if option or values:
                yield option, values
            option, values = word, []
        else:
            values.append(word)
    if option or values:
        yield option, values


def _model(service: str, operation: str) -> OperationModel:
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError as error:
        raise UsageError(str(error)) from error
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        raise UsageError(f"{service} has no operation {operation}")
    return model.operation_model(names[operation])


def _set_global_option(parsed: Parsed, option: str, words: list[str]) -> None:
    value = _one(option, words)
    if option == "--query":
        try:
            parsed.query = jmespath.compile(value)
        except jmespath.exceptions.JMESPathError as error:
            raise UsageError(f"bad value for --query: {error}") from error
    if option == "--output":
        if value not in {"json", "text"}:
            raise UsageError(f"--output {value}")
        parsed.output = value


def _one(option: str, words: list[str]) -> str:
    if len(words) != 1:
        raise UsageError(f"{option} takes one value, not {words}")
    return words[0]


def _value(option: str, shape: Shape, words: list[str]) -> Any:
    if shape.type_name == "boolean":
        if words:
            raise UsageError(f"{option} takes no value")
        return True
    if isinstance(shape, ListShape):
        if not words:
            raise UsageError(f"{option} takes at least one value")
        return [_scalar(option, shape.member, word) for word in words]
    return _scalar(option, shape, _one(option, words))


def _scalar(option: str, shape: Shape, word: str) -> Any:
    try:
        if isinstance(shape, StructureShape) and not word.startswith("{"):
            pairs = dict(pair.split("=", 1) for pair in word.split(","))
            return {name: _scalar(option, shape.members[name], text) for name, text in pairs.items()}
        match shape.type_name:
            case "integer" | "long":
                return int(word)
            case "double" | "float":
                return float(word)
            case "boolean":
                return {"true": True, "false": False}[word]
            case "structure" | "map":
                return json.loads(word)
            case _:
                return word
    except (KeyError, ValueError) as error:
        raise UsageError(f"{option}: {word}: {error!r}") from error


def run(parsed: Parsed) -> Any:
    """Call AWS as the command says, and return the response."""
    if parsed.faults:
        raise UsageError(parsed.faults)
    client = botocore.session.get_session().create_client(parsed.service)
    if parsed.model is None:
        return _run_other(client, parsed)
    method = xform_name(parsed.model.name)
    if client.can_paginate(method):
        return client.get_paginator(method).paginate(**parsed.parameters).build_full_result()
    response = getattr(client, method)(**parsed.parameters)
    response.pop("ResponseMetadata", None)
    return response


def _run_other(client: Any, parsed: Parsed) -> Any:
    words = parsed.words
    match (parsed.service, parsed.operation):
        case ("s3", "cp"):
            file = Path(words[0])
            bucket, _, key = words[1].removeprefix("s3://").partition("/")
            is_folder = not key or key.endswith("/")
            client.put_object(
                Bucket=bucket, Key=f"{key}{file.name}" if is_folder else key, Body=file.read_bytes()
            )
            return f"upload: {words[0]} to {words[1]}"
        case ("s3", "ls"):
            bucket, _, prefix = words[0].removeprefix("s3://").partition("/")
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return "\n".join(entry["Key"] for page in pages for entry in page.get("Contents", []))
        case ("logs", "tail"):
            events = client.filter_log_events(logGroupName=words[0])["events"]
            return "\n".join(event["message"] for event in events)
        case _:
            raise UsageError(f"the replacement does not run {parsed.service} {parsed.operation}")


def _text(value: Any) -> str:
    if isinstance(value, list):
        if any(isinstance(each, list) for each in value):
            return "\n".join(_text(each) for each in value)
        return "\t".join(_text(each) for each in value)
    if isinstance(value, dict):
        raise UsageError("the replacement prints no structures as text")
    return str(value)


def main() -> None:
    """Run the command, and end as the CLI does."""
    try:
        parsed = parse(sys.argv[1:])
        response = run(parsed)
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE_STATUS)
    except (ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED_STATUS)
    if parsed.query is not None:
        response = parsed.query.search(response)
    is_text = parsed.output == "text" or parsed.model is None
    if response == {}:
        return
    print(_text(response) if is_text else json.dumps(response, indent=4, default=str))


if __name__ == "__main__":
    main()
