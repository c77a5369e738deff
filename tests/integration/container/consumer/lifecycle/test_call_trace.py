"""One file tells the life of a task: every step is entered from it, in order, and none calls the next."""

from pathlib import Path

import grimp
import pytest

from local.fakes.sdwebui.process import FakeWebUi
from tests.support.call_trace import LIFE, Trace, trace_one_task
from tests.support.cloud import Cloud
from tests.support.consumers import ROOT

STEPS = {
    "Claimer.claim_next": "claim.py",
    "Preparer.prepare": "prepare.py",
    "Table.write": "table.py",  # the start: one write
    "EngineRunner.run": "runner.py",
    "Store.success": "outputs.py",
    "Finisher.completed": "finish.py",
}
MOST_FILES = 15
MOST_LINES = 300


@pytest.fixture
def trace(cloud: Cloud, webui: FakeWebUi, task_id: str) -> Trace:
    return trace_one_task(cloud, webui.url, task_id)


def test_every_step_is_entered_from_the_life_of_a_task_in_order(trace: Trace) -> None:
    entered = [call for call in trace.calls if call.function in STEPS and call.caller == LIFE]
    # Claims that found nothing come before and after.
    names = [call.function for call in entered]
    begun = names.index("Preparer.prepare") - 1
    assert names[begun : begun + len(STEPS)] == list(STEPS)


def test_no_step_is_entered_from_another_one(trace: Trace) -> None:
    steps = set(STEPS) - {"Table.write"}
    assert {call.caller for call in trace.calls if call.function in steps} == {LIFE}


def test_a_task_is_followed_through_few_files(trace: Trace) -> None:
    assert len(trace.files()) <= MOST_FILES, sorted(trace.files())


def test_no_file_of_the_consumer_is_long() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in Path(ROOT / "container" / "consumer").rglob("*.py")
    }
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def test_no_module_of_the_consumer_imports_in_a_circle() -> None:
    graph = grimp.build_graph("container", exclude_type_checking_imports=False, cache_dir=None)
    circles = {
        name: chain
        for name in graph.modules
        for imported in graph.find_modules_directly_imported_by(name)
        if (chain := graph.find_shortest_chain(imported, name)) is not None
    }
    assert circles == {}
