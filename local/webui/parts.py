"""The parts of a stand-in, made once for each server."""

from dataclasses import dataclass, field

from local.webui.answers import recorded
from local.webui.faults import Faults
from local.webui.ledger import Ledger
from local.webui.line import Line
from local.webui.memory import Memory
from local.webui.models import Checkpoints
from local.webui.options import CHECKPOINT, Options
from local.webui.scripts import Scripts
from local.webui.settings import Settings
from local.webui.state import State
from local.webui.tasks import Tasks


@dataclass(kw_only=True)
class Parts:
    """Hold what the routes share; a test may put a variation in a part's place."""

    settings: Settings
    checkpoints: Checkpoints
    options: Options
    state: State
    memory: Memory
    line: Line
    ledger: Ledger
    scripts: Scripts
    tasks: Tasks
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def make(cls, settings: Settings) -> "Parts":
        """Make the parts that belong together; the first checkpoint is selected unless one is named."""
        ledger, state = Ledger(), State()
        checkpoints = Checkpoints(settings.model_dir)
        stored = recorded("options")
        options = Options(stored["defaults"], stored["saved"], checkpoints)
        first = next((one.name for one in checkpoints.all()), None)
        options.saved[CHECKPOINT] = settings.checkpoint or first
        if first is not None:
            checkpoints.select(options[CHECKPOINT])
        return cls(
            settings=settings,
            checkpoints=checkpoints,
            options=options,
            state=state,
            memory=Memory(checkpoints, options, settings, ledger),
            line=Line(ledger),
            ledger=ledger,
            scripts=Scripts(options, settings.extra_scripts),
            tasks=Tasks(state),
        )
