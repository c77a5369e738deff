"""The parts of one fake server, how they are put together, and the thread that runs its jobs."""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

from local.fakes.comfyui.cache import ResultCache
from local.fakes.comfyui.catalogue import Catalogue
from local.fakes.comfyui.errors import WorkerDied
from local.fakes.comfyui.events import Events
from local.fakes.comfyui.executor import Executor
from local.fakes.comfyui.faults import REQUEST_FAULTS, SERVER_FAULTS
from local.fakes.comfyui.folders import Folders
from local.fakes.comfyui.job_queue import Job, JobQueue
from local.fakes.comfyui.settings import Settings
from local.fakes.comfyui.stats import Stats
from local.fakes.faults import Fault, Faults

POLL_SECONDS: Final = 0.1


@dataclass(kw_only=True)
class Components:
    """The components that the routes share."""

    settings: Settings
    folders: Folders
    catalogue: Catalogue
    events: Events
    queue: JobQueue
    executor: Executor
    stats: Stats
    faults: Faults
    request_faults: dict[str, Faults]
    must_free_memory: threading.Event = field(default_factory=threading.Event)
    """Set by POST /free: the cached results are forgotten before the next job."""
    stopping: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def make(cls, settings: Settings) -> "Components":
        """Create the components and empty the folder of temporary files, as ComfyUI does when it starts."""
        folders = Folders(settings)
        events, stats = Events(), Stats()
        cache = ResultCache(folders, settings.cache)
        return cls(
            settings=settings,
            folders=folders,
            catalogue=Catalogue(folders, old=settings.old),
            events=events,
            queue=JobQueue(),
            executor=Executor(settings, folders, cache, events, stats),
            stats=stats,
            faults=Faults(SERVER_FAULTS),
            request_faults={name: Faults(frozenset()) for name in REQUEST_FAULTS},
        )

    def start(self) -> None:
        """Start the thread that runs jobs."""
        threading.Thread(target=self._run_jobs, name="worker", daemon=True).start()

    def has_request_fault(self, name: str) -> bool:
        """Return whether a fault affects the current request, and count the request for it."""
        return self.take_request_fault(name) is not None

    def take_request_fault(self, name: str) -> Fault | None:
        """Return the fault that affects the current request, if any, and count the request for it."""
        return self.request_faults[name].for_next_job().get(name)

    def status(self) -> dict[str, Any]:
        """Return the data of the websocket message `status`."""
        return {"status": {"exec_info": {"queue_remaining": self.queue.remaining()}}}

    def send_status(self) -> None:
        """Send all sockets the number of jobs."""
        self.events.send("status", self.status())

    def _run_jobs(self) -> None:
        while not self.stopping.is_set():
            job = self.queue.take_next(POLL_SECONDS)
            if self.must_free_memory.is_set():  # as recorded, this happens only between jobs
                self.must_free_memory.clear()
                self.executor.cache.clear()
            if job is not None:
                try:
                    self._run_job(job)
                except WorkerDied:
                    return  # without any message, as recorded

    def _run_job(self, job: Job) -> None:
        injected = self.faults.for_next_job()
        entry = self.stats.begin(id=job.id, number=job.number, client=job.client, prompt=job.prompt)
        # As recorded, an interrupt that came before the job has no effect.
        self.executor.interrupt.event.clear()
        self.send_status()
        history = self.executor.run(job, injected)
        self.faults.end_job(injected)
        self.queue.finish(job, None if "forget" in injected else history)
        self.stats.end(entry, history["status"]["status_str"])
        entry["outputs"] = {} if "bad-message" in injected else history["outputs"]
        self.send_status()
        if job.client is not None:
            self.events.send("executing", {"node": None, "prompt_id": job.id}, job.client)
