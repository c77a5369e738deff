"""The runtimes of `make demo` and `make local`."""

import json

from infra.settings.reading import load
from local.demo import EXAMPLES, RUNTIMES
from local.deploy import CONFIG


def test_local_config_yaml_has_the_runtimes_of_the_demo_and_of_each_example() -> None:
    settings, warnings = load(CONFIG)
    configured = {runtime.name for runtime in settings.models_runtime}

    requests = [json.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES.glob("v1alpha2-*.json")]
    assert {body["task"]["metadata"]["runtime"] for body in requests} | set(RUNTIMES) == configured
    assert list(warnings) == []
