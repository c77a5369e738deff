"""No text makes a regular expression take more than linear time, which would block a worker."""

import re

import pytest

from bench.regexes import Regex, find_regexes, slow_texts


def test_the_regular_expressions_of_the_project_are_found() -> None:
    all_regexes = find_regexes()
    source = {regex.location.rpartition(":")[0] for regex in all_regexes}

    assert len(all_regexes) >= 25
    assert {"domain/body.py", "adapters/public_http/links.py", "runtimes/sdwebui/prompts.py"} <= source
    assert all(regex.methods for regex in all_regexes)


@pytest.mark.parametrize("regex", find_regexes(), ids=lambda regex: regex.location)
def test_a_regular_expression_takes_linear_time(regex: Regex) -> None:
    assert list(slow_texts(regex)) == []


@pytest.mark.parametrize(
    ("pattern", "repeated"),
    [
        (r"<(?P<kind>\w+):(?P<name>[^:<>]+)[^<>]*>", "'b'"),  # once the tags of prompts
        (r"Script '.*' not found", "'Script"),  # once in the errors of SD Web UI
    ],
)
def test_expressions_that_were_once_quadratic_are_detected(pattern: str, repeated: str) -> None:
    slow = slow_texts(Regex("here", re.compile(pattern), ("search",)), characters=4000)

    assert any(repeated in regex.text.replace('"', "'") for regex in slow)
