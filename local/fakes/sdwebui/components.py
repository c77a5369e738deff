"""Composition of a fake from its components, once for each server."""

from dataclasses import dataclass, field

from local.fakes.faults import Faults
from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.controlnet import ControlNet
from local.fakes.sdwebui.embeddings import Embeddings
from local.fakes.sdwebui.faults import UNTIL_CLEARED
from local.fakes.sdwebui.job_queue import JobQueue
from local.fakes.sdwebui.memory import Memory
from local.fakes.sdwebui.models import Checkpoints
from local.fakes.sdwebui.modules import Modules
from local.fakes.sdwebui.networks import Networks
from local.fakes.sdwebui.options import CHECKPOINT, Options, of_forge
from local.fakes.sdwebui.scripts import Scripts
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.state import State
from local.fakes.sdwebui.stats import Stats
from local.fakes.sdwebui.tasks import Tasks


@dataclass(kw_only=True)
class Components:
    """The components that the routes share; a test can replace some by variations."""

    settings: Settings
    checkpoints: Checkpoints
    options: Options
    state: State
    memory: Memory
    queue: JobQueue
    stats: Stats
    scripts: Scripts
    tasks: Tasks
    networks: Networks
    embeddings: Embeddings
    modules: Modules
    controlnet: ControlNet
    faults: Faults = field(default_factory=lambda: Faults(UNTIL_CLEARED))

    @classmethod
    def make(
        cls,
        settings: Settings,
        *,
        checkpoints: type[Checkpoints] = Checkpoints,
        options: type[Options] = Options,
        state: type[State] = State,
        memory: type[Memory] = Memory,
        queue: type[JobQueue] = JobQueue,
        scripts: type[Scripts] = Scripts,
        tasks: type[Tasks] = Tasks,
        networks: type[Networks] = Networks,
        modules: type[Modules] = Modules,
        controlnet: type[ControlNet] = ControlNet,
        embeddings: type[Embeddings] = Embeddings,
    ) -> "Components":
        """Create the components; the first checkpoint is selected unless the settings name one."""
        stats, now = Stats(), state()
        known = checkpoints(settings.model_dir)
        stored = recorded("options")
        forge = settings.forge
        defaults = {name: value for name, value in stored["defaults"].items() if forge or not of_forge(name)}
        chosen = options(defaults, stored["saved"], known, forge=forge)
        first = next((one.name for one in known.all()), None)
        chosen.saved[CHECKPOINT] = settings.checkpoint or first
        if first is not None:
            known.select(chosen[CHECKPOINT])
        units = controlnet(settings.model_dir, forge=forge)
        words = embeddings(settings.model_dir, forge=forge)
        return cls(
            settings=settings,
            checkpoints=known,
            options=chosen,
            state=now,
            memory=memory(known, chosen, settings, stats, words),
            queue=queue(stats),
            stats=stats,
            scripts=scripts(chosen, settings.extra_scripts, units, forge=forge),
            tasks=tasks(now),
            networks=networks(settings.model_dir, forge=forge),
            embeddings=words,
            modules=modules(settings.model_dir, forge=forge),
            controlnet=units,
        )
