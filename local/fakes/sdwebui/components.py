"""The parts of one fake server, and how they are put together."""

from dataclasses import dataclass, field

from local.fakes.faults import Faults
from local.fakes.sdwebui.controlnet import ControlNet
from local.fakes.sdwebui.embeddings import Embeddings
from local.fakes.sdwebui.faults import UNTIL_CLEARED
from local.fakes.sdwebui.job_queue import JobQueue
from local.fakes.sdwebui.memory import CheckpointMemory
from local.fakes.sdwebui.models import Checkpoints
from local.fakes.sdwebui.modules import Modules
from local.fakes.sdwebui.networks import Networks
from local.fakes.sdwebui.options import CHECKPOINT, Options, is_forge_only
from local.fakes.sdwebui.recorded_responses import recorded_response
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
    memory: CheckpointMemory
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
        memory: type[CheckpointMemory] = CheckpointMemory,
        queue: type[JobQueue] = JobQueue,
        scripts: type[Scripts] = Scripts,
        tasks: type[Tasks] = Tasks,
        networks: type[Networks] = Networks,
        modules: type[Modules] = Modules,
        controlnet: type[ControlNet] = ControlNet,
        embeddings: type[Embeddings] = Embeddings,
    ) -> "Components":
        """Create the components; the first checkpoint is selected unless the settings name one."""
        stats, webui_state = Stats(), state()
        all_checkpoints = checkpoints(settings.model_dir)
        recorded_options = recorded_response("options")
        is_forge = settings.is_forge
        defaults = {
            name: value
            for name, value in recorded_options["defaults"].items()
            if is_forge or not is_forge_only(name)
        }
        current_options = options(defaults, recorded_options["saved"], all_checkpoints, is_forge=is_forge)
        first = next((checkpoint.name for checkpoint in all_checkpoints.all()), None)
        current_options.saved[CHECKPOINT] = settings.checkpoint or first
        if first is not None:
            all_checkpoints.select(current_options[CHECKPOINT])
        controlnet_extension = controlnet(settings.model_dir, is_forge=is_forge)
        all_embeddings = embeddings(settings.model_dir, is_forge=is_forge)
        return cls(
            settings=settings,
            checkpoints=all_checkpoints,
            options=current_options,
            state=webui_state,
            memory=memory(all_checkpoints, current_options, settings, stats, all_embeddings),
            queue=queue(stats),
            stats=stats,
            scripts=scripts(current_options, settings.extra_scripts, controlnet_extension, is_forge=is_forge),
            tasks=tasks(webui_state),
            networks=networks(settings.model_dir, is_forge=is_forge),
            embeddings=all_embeddings,
            modules=modules(settings.model_dir, is_forge=is_forge),
            controlnet=controlnet_extension,
        )
