"""The replay of the recorded jobs detects each behaviour that is removed from the fake."""

from pathlib import Path
from typing import Any

import pytest

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.controlnet import ControlNet
from local.fakes.sdwebui.modules import Modules
from local.fakes.sdwebui.networks import Network, Networks
from local.fakes.sdwebui.scripts import ScriptPlan, Scripts
from local.fakes.sdwebui.settings import Settings
from tests.contract.job_comparison import job_differences, wrongly_different, wrongly_equal
from tests.contract.jobs import replay_jobs


class GenerousNetworks(Networks):
    """Applies an alias that two files share."""

    def find(self, name: str) -> Network | None:
        return self._by_alias.get(name)


class TidyNetworks(Networks):
    """Unloads the LoRAs of the previous job even if networks are disabled."""

    def apply(self, prompts: Any, *, disabled: bool, model: str) -> tuple[str, ...]:
        return super().apply([] if disabled else prompts, disabled=False, model=model)


class DeafNetworks(Networks):
    """Loads nothing."""

    def apply(self, prompts: Any, *, disabled: bool, model: str) -> tuple[str, ...]:
        return super().apply([prompt[:0] for prompt in prompts], disabled=disabled, model=model)


class WatchingModules(Modules):
    """Finds new files without a restart."""

    def used_files(self, options: Any) -> list[Path]:
        self._scan()
        return super().used_files(options)


class WillingModules(Modules):
    """Uses `sd_vae` on Forge too."""

    def used_files(self, options: Any) -> list[Path]:
        return super().used_files(options) + self.find_all([options["sd_vae"]])


class DeafModules(Modules):
    """Uses no VAE."""

    def used_files(self, options: Any) -> list[Path]:
        return super().used_files(options)[:0]


class LenientControlNet(ControlNet):
    """Finds a model by its name without the hash on Forge too."""

    def _find(self, name: Any) -> Path | None:
        return next((path for title, path in self._known.items() if title.startswith(str(name))), None)


class LoadingControlNet(ControlNet):
    """Uses a file that cannot be loaded."""

    def has_usable_model(self, unit: dict[str, Any]) -> bool:
        return self._find(unit.get("model")) is not None


class MaplessControlNet(ControlNet):
    """Returns no maps."""

    def returns_map(self, unit: dict[str, Any]) -> bool:
        return super().returns_map({**unit, "save_detected_map": False})


class HonestScripts(Scripts):
    """Does not insert loopback's grid."""

    def plan(self, request: Any, tab: str) -> ScriptPlan:
        plan = super().plan(request, tab)
        plan.loops = None
        return plan


BROKEN = [
    ("forge", {"networks": GenerousNetworks}, ("forge-095", "forge-101")),
    ("forge", {"networks": TidyNetworks}, ("forge-128", "forge-129")),
    ("forge", {"networks": DeafNetworks}, ("forge-095", "forge-100")),
    ("forge", {"modules": WatchingModules}, ("forge-095", "forge-103")),
    ("forge", {"modules": WillingModules}, ("forge-001", "forge-005")),
    ("forge", {"controlnet": LenientControlNet}, ("forge-095", "forge-106")),
    ("forge", {"controlnet": MaplessControlNet}, ("forge-106",)),
    ("forge", {"scripts": HonestScripts}, ("forge-160",)),
    ("a1111", {"modules": DeafModules}, ("a1111-001", "a1111-005")),
    ("a1111", {"controlnet": LoadingControlNet}, ("a1111-054",)),
]


@pytest.mark.parametrize(("flavor", "change", "jobs"), BROKEN)
def test_a_removed_behaviour_is_detected(
    flavor: str, change: dict[str, Any], jobs: tuple[str, ...], tmp_path: Path
) -> None:
    def make(settings: Settings) -> Components:
        return Components.make(settings, **change)

    unchanged = replay_jobs(flavor, tmp_path / "whole", only=jobs)
    broken = replay_jobs(flavor, tmp_path / "broken", make, only=jobs)
    for replayed_jobs, detected in ((unchanged, False), (broken, True)):
        all_departures = [
            *wrongly_different(replayed_jobs),
            *wrongly_equal(replayed_jobs, flavor),
            *(note for job in replayed_jobs for note in job_differences(job)),
        ]
        assert bool(all_departures) is detected, all_departures
