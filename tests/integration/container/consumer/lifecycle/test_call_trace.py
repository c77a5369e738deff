"""All steps of a task are called from one file, in order, and none calls the next."""

import pytest

from local.fakes.sdwebui.process import FakeWebUi
from tests.support.call_trace import LIFE, Trace, trace_one_task
from tests.support.cloud import Cloud

STEPS = (
    "Claimer.claim_next",
    "Preparer.prepare",
    "Table.write",  # the start: one write
    "EngineRunner.run",
    "Store.store_result",
    "Finisher.complete",
)
MAX_FILES = 15


@pytest.fixture
def trace(cloud: Cloud, webui: FakeWebUi, task_id: str) -> Trace:
    return trace_one_task(cloud, webui.url, task_id)


def test_every_step_is_called_from_task_run_in_order(trace: Trace) -> None:
    entered = [call for call in trace.calls if call.function in STEPS and call.caller == LIFE]
    # Claims that found nothing come before and after.
    names = [call.function for call in entered]
    begun = names.index("Preparer.prepare") - 1
    assert names[begun : begun + len(STEPS)] == list(STEPS)


def test_no_step_is_called_by_another_one(trace: Trace) -> None:
    steps = set(STEPS) - {"Table.write"}
    assert {call.caller for call in trace.calls if call.function in steps} == {LIFE}


def test_a_task_passes_through_few_files(trace: Trace) -> None:
    assert len(trace.files()) <= MAX_FILES, sorted(trace.files())
