"""The comparison with the recordings detects each quirk that is removed from the fake."""

from pathlib import Path
from typing import Any

import pytest

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.job_queue import JobQueue
from local.fakes.sdwebui.memory import CheckpointMemory
from local.fakes.sdwebui.models import Checkpoint, Checkpoints
from local.fakes.sdwebui.options import CHECKPOINT, RESTRICTED, Options
from local.fakes.sdwebui.scripts import ScriptPlan, Scripts
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.state import State
from local.fakes.sdwebui.tasks import Tasks
from tests.contract.scenarios_running import run_scenario


class RestoringOptions(Options):
    """Restores all overrides, including options that were never set before."""

    def options_to_restore(self, overrides: dict[str, Any]) -> dict[str, Any]:
        return {option: self[option] for option in overrides}


class CarefulOptions(Options):
    """Checks types when options are set, not when they are read."""

    def post(self, values: dict[str, Any]) -> None:
        super().post(
            {k: v for k, v in values.items() if type(v) is not str or type(self.defaults.get(k)) is str}
        )


class AtomicOptions(Options):
    """Sets nothing if one key is unknown."""

    def post(self, values: dict[str, Any]) -> None:
        before = dict(self.saved)
        try:
            super().post(values)
        except Exception:
            self.saved = before
            raise


class HonestOptions(Options):
    """Keeps an unknown checkpoint among the overrides, so that the job fails."""

    def overridden(self, overrides: dict[str, Any] | None, *, restore: bool) -> Any:
        if overrides and self._checkpoints.find(overrides.get(CHECKPOINT)) is None:
            self.post({k: v for k, v in overrides.items() if k == CHECKPOINT and k not in RESTRICTED})
        return super().overridden(overrides, restore=restore)


class LenientCheckpoints(Checkpoints):
    """Finds a checkpoint in any case."""

    def find(self, name: Any) -> Checkpoint | None:
        checkpoints_by_alias = {
            alias.lower(): alias for checkpoint in self.all() for alias in checkpoint.aliases()
        }
        return super().find(checkpoints_by_alias.get(name.lower(), name)) if isinstance(name, str) else None


class HashedCheckpoints(Checkpoints):
    """Has all hashes before anything was loaded."""

    def refresh(self) -> None:
        super().refresh()
        for checkpoint in self.all():
            self.register_hash(checkpoint)


class WatchingCheckpoints(Checkpoints):
    """Finds new files without a refresh."""

    def find(self, name: Any) -> Checkpoint | None:
        if super().find(name) is None:
            self.refresh()
        return super().find(name)


class HealingMemory(CheckpointMemory):
    """Forgets the loaded checkpoint if a load fails, so that the last good one is loaded again."""

    def load_selected(self) -> Checkpoint:
        if self.current is None:
            self._last_loaded = None
        return super().load_selected()


class EagerMemory(CheckpointMemory):
    """Loads the first checkpoint at the start."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.load_selected()


class UnlimitedQueue(JobQueue):
    """Lets all jobs run at once."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class ForgettingState(State):
    """Resets the interrupted flag at the job's end."""

    def end(self) -> None:
        super().end()
        self.interrupted = False


class CountingState(State):
    """Counts a job from its beginning, even while its model loads."""

    def begin(self, job: str) -> None:
        super().begin(job)
        self.job_count = 1


class LatePendingState(State):
    """Lets an interrupt while nothing runs stop the next job."""

    def begin(self, job: str) -> None:
        before = self.interrupted
        super().begin(job)
        self.interrupted = before


class TolerantScripts(Scripts):
    """Ignores scripts that do not exist."""

    def plan(self, request: Any, tab: str) -> ScriptPlan:
        known_scripts = {k: v for k, v in request.alwayson_scripts.items() if k.lower() in self.titles[tab]}
        return super().plan(request.model_copy(update={"alwayson_scripts": known_scripts}), tab)


class TidyTasks(Tasks):
    """Regards a failed task as finished at once."""

    def progress(self, name: str | None) -> dict[str, Any]:
        return {**super().progress(name), "active": self._state.job_count != 0}


BROKEN = [
    ({"options": RestoringOptions}, "overrides_that_leak", "44-override-restore-leak"),
    ({"options": CarefulOptions}, "options_without_a_lock", "40-options-get-after-wrong-type"),
    ({"options": AtomicOptions}, "options_without_a_lock", "40-options-post-partial-fail"),
    ({"options": HonestOptions}, "names_of_checkpoints", "42-override-checkpoint-prefix"),
    ({"checkpoints": LenientCheckpoints}, "names_of_checkpoints", "42-override-checkpoint-upper"),
    ({"checkpoints": HashedCheckpoints}, "a_cold_start", "01-preload-sd-models"),
    ({"checkpoints": WatchingCheckpoints}, "corrupt_checkpoints", "54-new-file-before-refresh"),
    ({"memory": HealingMemory}, "corrupt_checkpoints", "55-broken-next-request-original-model"),
    ({"memory": EagerMemory}, "a_cold_start", "01-preload-options"),
    ({"queue": UnlimitedQueue}, "one_at_a_time", "61-concurrent-log"),
    ({"state": ForgettingState}, "progress_and_interrupts", "62-interrupt-log"),
    ({"state": CountingState}, "interrupts_while_loading", "66b-interrupt-log"),
    ({"state": LatePendingState}, "an_idle_interrupt", "64-job-after-idle-interrupt"),
    ({"scripts": TolerantScripts}, "requests_of_all_kinds", "12-txt2img-alwayson-unknown"),
    ({"tasks": TidyTasks}, "with_the_page", "83-webui-internal-progress-X"),
]


@pytest.mark.parametrize(("change", "scenario", "detected"), BROKEN)
def test_a_removed_quirk_is_detected(
    change: dict[str, Any], scenario: str, detected: str, tmp_path: Path
) -> None:
    def make(settings: Settings) -> Components:
        return Components.make(settings, **change)

    notes = run_scenario(scenario, make, tmp_path)
    assert notes[detected], "nobody detected"
