"""ECS task protection: prevent scale-in and deployments from stopping this ECS task while it works.

AWS, "Amazon ECS task scale-in protection endpoint": the agent responds to a PUT with `protection`, with
`failure` (which has a `Reason`), or with `error`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

log = logging.getLogger(__name__)

PATH: Final = "/task-protection/v1/state"

MINUTES: Final = 30
"""How long ECS keeps a protection that is not renewed: longer than any job may take, but so short that a
worker that hangs does not block a deployment for long."""

RENEW_SECONDS: Final = MINUTES * 60 / 2

RELEASE_AFTER_SECONDS: Final = 600
"""Under a continuous backlog, protection is released at the end of a job this often, to let a deployment
proceed."""

IDLE_SECONDS: Final = 5
"""How long the worker must have no job before protection is released; shorter gaps would cost two calls."""

RETRY_REFUSED_SECONDS: Final = 10
"""How soon protection is requested again after ECS refused it."""

RETRY_FAILED_SECONDS: Final = 60
"""The same if the agent does not respond or lacks permission; work then continues without protection."""

CALL_SECONDS: Final = 5
CHECK_SECONDS: Final = 1

DEPLOYMENT_BLOCKED: Final = "DEPLOYMENT_BLOCKED"
"""The agent's reason for a refusal while a deployment waits for this ECS task to end."""


class Protection:
    """Protects this ECS task while it has jobs; without an endpoint it does nothing.

    `acquire` is called before each claim and makes a call only if protection is not active. Everything else
    runs in a separate thread.
    """

    def __init__(
        self,
        agent_uri: str,
        *,
        has_jobs: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._agent_uri = agent_uri
        self._has_jobs = has_jobs
        self._clock = clock
        self._check_seconds = check_seconds
        self._http = httpx.Client(timeout=CALL_SECONDS, trust_env=False)
        self._lock = threading.Lock()
        self._protected = False
        self._protected_at = 0.0
        self._renewed_at = 0.0
        self._last_job_at = 0.0
        self._refused = False
        self._retry_at = 0.0
        self._wake = threading.Event()
        self._job_ended = False
        self._stopped = False

    def start(self) -> None:
        """Start renewing and releasing in a daemon thread, which ends with the process."""
        if self._agent_uri:
            threading.Thread(target=self._run, name="protection", daemon=True).start()

    def acquire(self) -> bool:
        """Protect the ECS task; return False if a deployment waits for it, so that nothing may be claimed.

        If the agent does not respond or lacks permission, work continues unprotected.
        """
        if not self._agent_uri:
            return True
        with self._lock:
            self._last_job_at = self._clock()
            if self._protected:
                return True
            if self._clock() >= self._retry_at:
                self._protect()
                self._protected_at = self._renewed_at
            return self._protected or not self._refused

    @property
    def refused(self) -> bool:
        """Return whether ECS last refused protection, in which case nothing should be received."""
        return self._refused

    def job_ended(self) -> None:
        """Record that a job has ended; protection may be released then."""
        self._job_ended = True
        self._wake.set()

    def release(self) -> None:
        """Release protection if it is active; the next `acquire` requests it again."""
        with self._lock:
            if self._protected and self._put(protect=False) is not None:
                self._protected = False

    def stop(self) -> None:
        """Release protection and stop renewing it."""
        self._stopped = True
        self._wake.set()
        self.release()

    def renew_or_release(self) -> None:
        """Renew or release protection if it is time to do so."""
        now = self._clock()
        job_has_ended, self._job_ended = self._job_ended, False
        if self._has_jobs():
            self._last_job_at = now
        if not self._protected:
            return
        if now - self._last_job_at >= IDLE_SECONDS:
            self.release()
        elif job_has_ended and now - self._protected_at >= RELEASE_AFTER_SECONDS:
            log.info("releasing task protection between two jobs, so that a deployment can proceed")
            self.release()
        elif now - self._renewed_at >= RENEW_SECONDS:
            with self._lock:
                self._protect()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._check_seconds)
            self._wake.clear()
            if not self._stopped:
                self.renew_or_release()

    def _protect(self) -> None:
        response = self._put(protect=True)
        reason = ((response or {}).get("failure") or {}).get("Reason")
        self._protected = bool(((response or {}).get("protection") or {}).get("ProtectionEnabled"))
        self._refused = reason == DEPLOYMENT_BLOCKED
        self._renewed_at = self._clock()
        if self._protected:
            self._retry_at = 0.0
            return
        self._retry_at = self._clock() + (RETRY_REFUSED_SECONDS if self._refused else RETRY_FAILED_SECONDS)
        log.warning(
            "ECS did not grant task protection", extra={"reason": reason or (response or {}).get("error")}
        )

    def _put(self, *, protect: bool) -> dict[str, Any] | None:
        body: dict[str, Any] = {"ProtectionEnabled": protect}
        if protect:
            body["ExpiresInMinutes"] = MINUTES
        try:
            response = self._http.put(f"{self._agent_uri.rstrip('/')}{PATH}", json=body).json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning(
                "the ECS agent did not respond to a request for task protection",
                extra={"reason": type(error).__name__},
            )
            return None
        return response if isinstance(response, dict) else None
