"""The routes that queue prompts, show the queue and the history, and stop jobs."""

import json
import uuid
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.fakes.comfyui import jobs_view, refusals
from local.fakes.comfyui.components import Components
from local.fakes.comfyui.error_responses import Crash, DropConnection
from local.fakes.comfyui.errors import Refused, error
from local.fakes.comfyui.job_queue import Job
from local.fakes.comfyui.refusals import PARTLY
from local.fakes.comfyui.validation import Outcome, Validator

ID_HINT: Final = (
    "prompt_id must be a UUID string in canonical lowercase hyphenated form; "
    "omit it to let the server generate one"
)


def routes(components: Components) -> list[Route]:
    """Return the routes."""
    queue, settings = components.queue, components.settings

    async def get_prompt(_: Request) -> Response:
        return JSONResponse({"exec_info": {"queue_remaining": queue.remaining()}})

    async def post_prompt(request: Request) -> Response:
        body = json.loads(await request.body())
        components.stats.count("posted")
        rejected = components.take_request_fault("rejected")
        if rejected is not None and rejected.kind != PARTLY:
            return _refused(*refusals.refusal_response(rejected.kind, body["prompt"], old=settings.old))
        try:
            job, outcome = _create_job(components, body)
        except Refused as refused:
            return JSONResponse(refused.body, 400)
        is_duplicate = queue.has_waiting(job.number, job.id)
        queue.put(job)
        components.send_status()
        if components.has_request_fault("queued-close"):
            raise DropConnection
        if components.has_request_fault("queued-500") or is_duplicate:
            raise Crash
        number = int(job.number) if "number" not in body else job.number
        response = {"prompt_id": job.id, "number": number, "node_errors": outcome.node_errors}
        if rejected is not None:
            response["node_errors"] = refusals.node_errors(PARTLY, body["prompt"])
        return JSONResponse(response)

    async def get_queue(_: Request) -> Response:
        running = [job.as_listed() for job in list(queue.running)]
        return JSONResponse(
            {"queue_running": running, "queue_pending": [job.as_listed() for job in queue.pending()]}
        )

    async def post_queue(request: Request) -> Response:
        body = json.loads(await request.body())
        if body.get("clear"):
            queue.delete(None)
        queue.delete(set(body.get("delete", [])))
        components.send_status()
        return Response()

    async def get_history(request: Request) -> Response:
        entries = list(queue.history.items())
        if "max_items" in request.query_params:
            entries = entries[-int(request.query_params["max_items"]) :]
        return _json(dict(entries))

    async def get_history_of(request: Request) -> Response:
        job_id = request.path_params["job"]
        return _json({job_id: queue.history[job_id]} if job_id in queue.history else {})

    async def post_history(request: Request) -> Response:
        body = json.loads(await request.body())
        if body.get("clear"):
            queue.history.clear()
        for job_id in body.get("delete", []):
            queue.history.pop(job_id, None)
        return Response()

    async def interrupt(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = {}
        job_id = body.get("prompt_id")
        components.stats.count("interrupts")
        is_running = job_id is None or any(job.id == job_id for job in list(queue.running))
        if is_running and not components.has_request_fault("lost-interrupt"):
            components.executor.interrupt.event.set()
        return Response()

    async def free(request: Request) -> Response:
        body = json.loads(await request.body())
        components.stats.count("frees")
        if body.get("free_memory"):
            components.must_free_memory.set()
        return Response()

    prompt_routes = [
        Route("/prompt", get_prompt),
        Route("/prompt", post_prompt, methods=["POST"]),
        Route("/queue", get_queue),
        Route("/queue", post_queue, methods=["POST"]),
        Route("/history", get_history),
        Route("/history", post_history, methods=["POST"]),
        Route("/history/{job:path}", get_history_of),
        Route("/interrupt", interrupt, methods=["POST"]),
        Route("/free", free, methods=["POST"]),
    ]
    return prompt_routes if settings.old else [*_job_routes(components), *prompt_routes]


def _job_routes(components: Components) -> list[Route]:
    queue = components.queue

    async def list_jobs(request: Request) -> Response:
        statuses = [each for each in request.query_params.get("status", "").split(",") if each]
        if invalid := [each for each in statuses if each not in jobs_view.STATUSES]:
            valid = ", ".join(jobs_view.STATUSES)
            text = f"Invalid status value(s): {', '.join(invalid)}. Valid values: {valid}"
            return JSONResponse({"error": text}, 400)
        jobs = [job for job in jobs_view.list_jobs(queue) if not statuses or job["status"] in statuses]
        offset = int(request.query_params.get("offset", 0))
        limit = int(request.query_params["limit"]) if "limit" in request.query_params else None
        page = jobs[offset:] if limit is None else jobs[offset : offset + limit]
        has_more = offset + len(page) < len(jobs)
        pages = {"offset": offset, "limit": limit, "total": len(jobs), "has_more": has_more}
        return JSONResponse({"jobs": page, "pagination": pages})

    async def get_job(request: Request) -> Response:
        job = jobs_view.find_job(queue, request.path_params["job"])
        return JSONResponse({"error": "Job not found"}, 404) if job is None else _json(job)

    def cancel(job_ids: list[str]) -> bool:
        components.stats.count("cancels")
        if components.has_request_fault("lost-cancel"):
            return True
        running = [job for job in list(queue.running) if job.id in job_ids]
        for job in running:
            job.cancelled = True
            components.executor.interrupt.event.set()
        return queue.delete(set(job_ids)) or bool(running)

    async def cancel_one(request: Request) -> Response:
        return JSONResponse({"cancelled": cancel([request.path_params["job"]])})

    async def cancel_many(request: Request) -> Response:
        job_ids = json.loads(await request.body()).get("job_ids")
        if invalid := [job_id for job_id in job_ids if not _is_uuid(job_id)]:
            return JSONResponse({"error": "job_ids contains invalid id(s)", "invalid_ids": invalid}, 400)
        return JSONResponse({"cancelled": cancel(job_ids)})

    return [
        Route("/api/jobs", list_jobs),
        Route("/api/jobs/cancel", cancel_many, methods=["POST"]),
        Route("/api/jobs/{job}", get_job),
        Route("/api/jobs/{job}/cancel", cancel_one, methods=["POST"]),
    ]


def _create_job(components: Components, body: Any) -> tuple[Job, Outcome]:
    """Return the job for a request body, and which of its nodes can run.

    Raise Refused if none can, or any exception for a body of a wrong shape.
    """
    number = None
    if "number" in body:
        number = float(body["number"])
    if "prompt" not in body:
        raise Refused(error("no_prompt", "No prompt provided", "No prompt provided"))
    if number is None:
        number = components.queue.next_number() * (-1 if body.get("front") else 1)
    old = components.settings.old
    job_id = body.get("prompt_id")
    if job_id is None:
        job_id = str(uuid.uuid4())
    elif not old and not _is_uuid(job_id):
        message = "prompt_id must be a valid UUID"
        raise Refused(error("invalid_prompt_id", message, ID_HINT))
    prompt = body["prompt"]
    validator = Validator(prompt, components.catalogue, components.folders, old=old)
    outcome = validator.validate(body.get("partial_execution_targets"))
    extra_data = body.get("extra_data", {})
    if "client_id" in body:
        extra_data["client_id"] = body["client_id"]
    if not old:
        extra_data = {**extra_data}
    client = extra_data.get("client_id")
    job = Job(number, str(job_id), prompt, extra_data, outcome.outputs, client)
    if not old:
        extra_data["create_time"] = job.created_ms
    return job, outcome


def _refused(status: int, body: Any) -> Response:
    return JSONResponse(body, status) if isinstance(body, dict) else Response(body, status)


def _is_uuid(text: Any) -> bool:
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _json(content: Any) -> Response:
    """Return JSON that may contain NaN, as ComfyUI's does; raise TypeError for what is not JSON."""
    return Response(json.dumps(content), media_type="application/json")
