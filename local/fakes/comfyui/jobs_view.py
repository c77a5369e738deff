"""The jobs as GET /api/jobs shows them; version 0.3.64 does not have it."""

from typing import Any, Final

from local.fakes.comfyui.job_queue import Job, JobQueue

STATUSES: Final = ("pending", "in_progress", "completed", "failed", "cancelled")


def list_jobs(queue: JobQueue) -> list[dict[str, Any]]:
    """Return all jobs, the newest first."""
    jobs = [_unfinished_job(job, "pending") for job in queue.pending()]
    jobs += [_unfinished_job(job, "in_progress") for job in list(queue.running)]
    jobs += [_finished_job(entry) for entry in list(queue.history.values())]
    return sorted(jobs, key=lambda job: -job["create_time"])


def find_job(queue: JobQueue, job_id: str) -> dict[str, Any] | None:
    """Return one job with its outputs and its workflow, or None."""
    job = next((each for each in list_jobs(queue) if each["id"] == job_id), None)
    if job is None or job_id not in queue.history:
        return job
    entry = queue.history[job_id]
    workflow = {"prompt": entry["prompt"][2], "extra_data": entry["prompt"][3]}
    return {**job, "outputs": entry["outputs"], "execution_status": entry["status"], "workflow": workflow}


def _unfinished_job(job: Job, status: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": status,
        "priority": job.number,
        "create_time": job.created_ms,
        "outputs_count": 0,
    }


def _finished_job(entry: dict[str, Any]) -> dict[str, Any]:
    number, job_id, _, extra_data, _ = entry["prompt"]
    status = entry["status"]
    messages = dict(status["messages"])
    end_message: dict[str, Any] = next(
        (
            messages[f"execution_{outcome}"]
            for outcome in ("success", "error", "interrupted")
            if f"execution_{outcome}" in messages
        ),
        {},
    )
    job_status = "completed" if status["completed"] else "failed"
    if "execution_interrupted" in messages:
        job_status = "cancelled"
    files = [
        (node, key, item)
        for node, ui in entry["outputs"].items()
        for key, items in ui.items()
        if isinstance(items, list)
        for item in items
        if isinstance(item, dict) and "filename" in item
    ]
    job: dict[str, Any] = {
        "id": job_id,
        "status": job_status,
        "priority": number,
        "create_time": extra_data.get("create_time", messages["execution_start"]["timestamp"]),
        "execution_start_time": messages["execution_start"]["timestamp"],
        "execution_end_time": end_message.get("timestamp"),
        "outputs_count": len(files),
    }
    if "execution_error" in messages:
        job["execution_error"] = messages["execution_error"]
    if files:
        node, key, item = next((file for file in files if file[2].get("type") == "output"), files[0])
        job["preview_output"] = {**item, "nodeId": node, "mediaType": key}
    return job
