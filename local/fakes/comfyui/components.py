"""Composition of a fake from its components, once for each server, and the thread that runs its jobs."""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

from local.fakes.comfyui.cache import ResultCache
from local.fakes.comfyui.catalogue import Catalogue
from local.fakes.comfyui.errors import WorkerDied
from local.fakes.comfyui.events import Events
from local.fakes.comfyui.executor import Executor
from local.fakes.comfyui.faults import OF_REQUESTS, OF_SERVER
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
    free: threading.Event = field(default_factory=threading.Event)
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
            faults=Faults(OF_SERVER),
            request_faults={name: Faults(frozenset()) for name in OF_REQUESTS},
        )

    def start(self) -> None:
        """Start the thread that runs jobs."""
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def hit(self, name: str) -> bool:
        """Return whether a fault of requests affects the current request, and count it."""
        return self.fault_of_request(name) is not None

    def fault_of_request(self, name: str) -> Fault | None:
        """Return the fault of requests that affects the current request, and count it."""
        return self.request_faults[name].for_next_job().get(name)

    def status(self) -> dict[str, Any]:
        """Return what the message `status` tells."""
        return {"status": {"exec_info": {"queue_remaining": self.queue.remaining()}}}

    def send_status(self) -> None:
        """Tell all sockets how many jobs there are."""
        self.events.send("status", self.status())

    def _work(self) -> None:
        while not self.stopping.is_set():
            job = self.queue.take(POLL_SECONDS)
            if self.free.is_set():  # not while a job runs, but before the next one
                self.free.clear()
                self.executor.cache.clear()
            if job is not None:
                try:
                    self._run(job)
                except WorkerDied:
                    return  # nothing says so, as recorded

    def _run(self, job: Job) -> None:
        injected = self.faults.for_next_job()
        entry = self.stats.begin(id=job.id, number=job.number, client=job.client, prompt=job.prompt)
        self.executor.interrupt.event.clear()  # so an interrupt that came before is lost
        self.send_status()
        history = self.executor.run(job, injected)
        self.faults.end_job(injected)
        self.queue.done(job, None if "forget" in injected else history)
        self.stats.end(entry, history["status"]["status_str"])
        entry["outputs"] = {} if "bad-message" in injected else history["outputs"]
        self.send_status()
        if job.client is not None:
            self.events.send("executing", {"node": None, "prompt_id": job.id}, job.client)
