"""Reading, listing and cancelling tasks."""

import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from domain.clock import parse
from domain.keys import s3_uri
from domain.protocol import finish, release, start
from domain.row import Status
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker, results, sweep


def read(api: Client, task_id: str = "test") -> dict[str, Any]:
    """Return a task as the API shows it, which must exist."""
    answer = api("GET", f"/v1alpha2/tasks/{task_id}")
    assert answer.status == 200
    return dict(answer.body)


def cancel(api: Client, task_id: str = "test") -> Any:
    """Cancel a task."""
    return api("DELETE", f"/v1alpha2/tasks/{task_id}")


class TestRead:
    """`GET /v1alpha2/tasks/{id}`."""

    def test_a_task_is_shown_in_every_state(self, api: Client, deployment: Deployment) -> None:
        api.submit(context={"a": 1})
        queued = read(api)
        assert (queued["status"], queued["progress"], queued["images"]) == ("queued", 0, [])
        assert queued["context"] == {"a": 1}
        assert queued["started_at"] is None
        worker = Worker(deployment)
        row = worker.start("test")
        assert read(api)["status"] == "running"
        finished_row = worker.finish(row)
        task = read(api)
        assert (task["status"], task["progress"], task["error"]) == ("completed", 1, None)
        assert task["submitted_at"] < task["started_at"] <= task["finished_at"]
        [image] = task["images"]
        assert image["s3"] == finished_row.item["images"][0]
        remaining = parse(image["expires_at"]) - datetime.now().astimezone()
        assert timedelta(minutes=59) < remaining <= timedelta(hours=1)
        assert "X-Amz-Expires=3600" in image["url"]
        with urllib.request.urlopen(image["url"], timeout=10) as answer:
            assert answer.read() == b"png"

    def test_maps_masks_and_grids_have_links_too(self, api: Client, deployment: Deployment) -> None:
        api.submit()
        row = Worker(deployment).start("test")
        bucket, fence = deployment.environment.output_bucket, str(row.fence)
        kinds = ["grid", "map", "map", "mask"]
        keys = [row.keys.other_image(fence, kind, number, "png") for number, kind in enumerate(kinds, 1)]
        for key in keys:
            deployment.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        change = finish(
            row,
            Status.COMPLETED,
            now=FakeClock()(),
            other_images=[s3_uri(bucket, key) for key in keys],
        )
        assert deployment.table.write("test", change).done
        task = read(api)
        assert task["images"] == []
        assert [image["kind"] for image in task["other_images"]] == kinds
        for image, key in zip(task["other_images"], keys, strict=True):
            assert image["s3"] == s3_uri(bucket, key)
            with urllib.request.urlopen(image["url"], timeout=10) as answer:
                assert answer.read() == key.encode()

    def test_a_failed_task_shows_its_error(self, api: Client, deployment: Deployment) -> None:
        api.submit()
        row = Worker(deployment).start("test")
        error = {"code": "no_images", "message": "None came back."}
        output = "s3://bucket/output/test/test-0000.out"
        change = finish(row, Status.FAILED, now=FakeClock()(), output=output, error=error)
        assert deployment.table.write("test", change).done
        task = read(api)
        assert (task["status"], task["error"]) == ("failed", error)
        assert task["output"]["s3"] == output

    @pytest.mark.parametrize("task_id", ["nope", "..", "a%20b", "a" * 200])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_an_unknown_or_invalid_id_is_not_found(
        self, shared_api: Client, method: str, task_id: str
    ) -> None:
        answer = shared_api(method, f"/v1alpha2/tasks/{task_id}")
        assert (answer.status, answer.code) == (404, "not_found")


class TestList:
    """`GET /v1alpha2/tasks`."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Return a clock with which submits are one second apart."""
        return FakeClock()

    @pytest.fixture
    def api(self, deployment: Deployment, clock: FakeClock) -> Client:
        """Return the API with that clock."""
        return Client(deployment, clock)

    def submit(self, api: Client, clock: FakeClock, count: int, first: int = 0) -> list[str]:
        """Submit tasks one second apart, and return their ids, newest first."""
        names = [f"task-{number:03}" for number in range(first, first + count)]
        for number, name in enumerate(names):
            clock.forward(seconds=1)
            assert api.submit(name, runtime=(DYNAMIC, STATIC)[number % 2]).status == 200
        return names[::-1]

    def pages(self, api: Client, **query: str) -> list[list[str]]:
        """Read all pages."""
        ids_by_page = []
        while True:
            answer = api("GET", "/v1alpha2/tasks", query=query or None)
            assert answer.status == 200
            ids_by_page.append([task["id"] for task in answer.body["tasks"]])
            if answer.body["cursor"] is None:
                return ids_by_page
            query["cursor"] = answer.body["cursor"]

    def test_tasks_of_all_runtimes_and_states_are_listed_newest_first_and_can_be_filtered(
        self, api: Client, deployment: Deployment, clock: FakeClock
    ) -> None:
        names = self.submit(api, clock, 6)
        worker = Worker(deployment, clock)
        worker.start("task-001")
        worker.run("task-002")
        worker.run("task-003", Status.FAILED)
        cancel(api, "task-004")
        assert self.pages(api) == [names]
        assert self.pages(api, status="queued") == [["task-005", "task-000"]]
        assert self.pages(api, status="running") == [["task-001"]]
        assert self.pages(api, status="completed") == [["task-002"]]
        assert self.pages(api, status="failed") == [["task-003"]]
        assert self.pages(api, status="cancelled") == [["task-004"]]
        assert self.pages(api, runtime=STATIC) == [["task-005", "task-003", "task-001"]]
        assert self.pages(api, runtime=DYNAMIC, status="queued") == [["task-000"]]

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
    def test_pages_contain_every_task_once(self, api: Client, clock: FakeClock, limit: int) -> None:
        names = self.submit(api, clock, 6)
        pages = self.pages(api, limit=str(limit))
        assert list(chain.from_iterable(pages)) == names
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]

    def test_pages_repeat_and_skip_nothing_while_tasks_change(
        self, api: Client, deployment: Deployment, clock: FakeClock
    ) -> None:
        names = self.submit(api, clock, 12)
        worker = Worker(deployment, clock)
        changes: list[Callable[[], object]] = [
            lambda: worker.start("task-011"),
            lambda: worker.run("task-000"),
            lambda: cancel(api, "task-005"),
            lambda: self.submit(api, clock, 3, first=12),
            lambda: worker.run("task-003", Status.FAILED),
        ]
        ids: list[str] = []
        query = {"limit": "2"}
        while True:
            answer = api("GET", "/v1alpha2/tasks", query=query)
            ids += [task["id"] for task in answer.body["tasks"]]
            if answer.body["cursor"] is None:
                break
            query["cursor"] = answer.body["cursor"]
            if changes:
                changes.pop()()
        assert not changes
        assert ids == names

    def test_tasks_submitted_at_the_same_time_are_all_listed(self, api: Client) -> None:
        for name in "abc":
            api.submit(name)
        assert self.pages(api, limit="1") == [["c"], ["b"], ["a"]]

    def test_every_bad_parameter_is_named(self, api: Client) -> None:
        query = {"status": "done", "runtime": "nope", "limit": "0", "cursor": "x", "sort": "asc"}
        answer = api("GET", "/v1alpha2/tasks", query=query)
        assert answer.status == 400
        assert set(answer.faults) == set(query)

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "x", "", "1" * 5000, "١"])
    def test_bad_limits_are_refused(self, shared_api: Client, limit: str) -> None:
        assert shared_api("GET", "/v1alpha2/tasks", query={"limit": limit}).faults == ["limit"]

    @pytest.mark.parametrize("cursor", ["", "!", "ä", "bm9wZQ", "e30", "A" * 5000])
    def test_invalid_cursors_are_refused(self, shared_api: Client, cursor: str) -> None:
        assert shared_api("GET", "/v1alpha2/tasks", query={"cursor": cursor}).faults == ["cursor"]


class TestCancel:
    """`DELETE /v1alpha2/tasks/{id}` and its races."""

    def test_a_queued_task_is_cancelled_at_once_and_its_message_is_deleted(
        self, api: Client, deployment: Deployment
    ) -> None:
        api.submit(context="c")
        answer = cancel(api)
        assert (answer.status, answer.body["status"]) == (200, "cancelled")
        [callback] = deployment.callbacks()
        assert (callback["status"], callback["result"], callback["context"]) == ("cancelled", False, "c")
        assert callback["error"]["code"] == "cancelled"
        worker = Worker(deployment)
        [message] = deployment.messages()
        assert worker.deliver(message) == "delete_message"
        assert worker.runs == []

    def test_cancelling_a_running_task_is_a_request_to_its_worker(
        self, api: Client, deployment: Deployment
    ) -> None:
        api.submit()
        row = Worker(deployment).start("test")
        answer = cancel(api)
        assert (answer.status, answer.body["status"]) == (202, "running")
        assert answer.body["cancel_requested"] is not None
        assert cancel(api).status == 202
        assert deployment.callbacks() == []
        assert deployment.row("test").cancel_requested
        Worker(deployment).finish(row, Status.CANCELLED)
        assert read(api)["status"] == "cancelled"

    @pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
    def test_a_finished_task_is_not_cancelled(
        self, api: Client, deployment: Deployment, status: Status
    ) -> None:
        api.submit()
        Worker(deployment).run("test", status)
        answer = cancel(api)
        assert (answer.status, answer.code) == (409, "conflict")
        assert deployment.row("test").status is status

    def test_a_claimed_task_can_be_cancelled_before_it_starts(
        self, api: Client, deployment: Deployment
    ) -> None:
        api.submit()
        row = Worker(deployment).claim("test")
        assert cancel(api).status == 200
        assert not deployment.table.write("test", start(row, seconds=60, now=FakeClock()())).done
        assert deployment.row("test").status is Status.CANCELLED

    def test_cancelling_deletes_orphaned_objects_of_an_earlier_worker(
        self, api: Client, deployment: Deployment
    ) -> None:
        api.submit()
        worker = Worker(deployment)
        row = worker.start("test")
        worker.store(row)
        assert deployment.table.write("test", release(row, count_attempt=True)).done
        assert cancel(api).status == 200
        bucket = deployment.environment.output_bucket
        assert deployment.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_the_sweep_sends_the_callback_of_a_cancel_while_sns_was_down(
        self, deployment: Deployment
    ) -> None:
        clock, sns = FakeClock(), FakeSns(deployment.sns)
        api = Client(deployment, clock, sns=sns)
        api.submit()
        sns.failing_topics.add(deployment.environment.result_topic_arn)
        assert cancel(api).status == 200
        assert not deployment.row("test").notified
        clock.forward(minutes=10)
        assert sweep(deployment, clock).notified == 1
        assert [callback["status"] for callback in deployment.callbacks()] == ["cancelled"]

    def test_many_cancels_and_one_finish_make_one_outcome(self, api: Client, deployment: Deployment) -> None:
        api.submit()
        worker = Worker(deployment)
        row = worker.start("test")

        def finish_task(_: object) -> bool:
            change = finish(row, Status.COMPLETED, now=FakeClock()())
            return deployment.table.write("test", change).done

        with ThreadPoolExecutor(21) as pool:
            cancels = [pool.submit(cancel, api) for _ in range(20)]
            finish_result = pool.submit(finish_task, None)
            statuses = {future.result().status for future in cancels}
        assert finish_result.result()
        assert statuses <= {202, 409}
        assert deployment.row("test").status is Status.COMPLETED
        results(deployment).notify(deployment.row("test"))
        assert [callback["status"] for callback in deployment.callbacks()] == ["completed"]

    def test_many_cancels_and_one_start_have_one_result(self, api: Client, deployment: Deployment) -> None:
        for number in range(5):
            name = f"task-{number}"
            api.submit(name)
            row = Worker(deployment).claim(name)
            change = start(row, seconds=60, now=FakeClock()())
            with ThreadPoolExecutor(11) as pool:
                cancels = [pool.submit(cancel, api, name) for _ in range(5)]
                started = pool.submit(deployment.table.write, name, change)
                cancels += [pool.submit(cancel, api, name) for _ in range(5)]
                statuses = [future.result().status for future in cancels]
            if started.result().done:
                assert set(statuses) == {202}
                assert deployment.row(name).cancel_requested
            else:
                # Cancels in the same millisecond write the same outcome: each is answered with 200.
                assert 200 in statuses
                assert set(statuses) <= {200, 409}
                assert deployment.row(name).status is Status.CANCELLED


def test_a_queued_task_shows_how_many_are_before_it(api: Client, deployment: Deployment) -> None:
    for name in ("first", "second", "third"):
        api.submit(name)
    api.submit("elsewhere", runtime=STATIC)

    def position(name: str) -> object:
        return api("GET", f"/v1alpha2/tasks/{name}").body["position"]

    assert [position(name) for name in ("first", "second", "third", "elsewhere")] == [0, 1, 2, 0]
    worker = Worker(deployment)
    worker.start("first")
    assert [position(name) for name in ("first", "second", "third")] == [None, 0, 1]
    worker.run("second")
    assert api("DELETE", "/v1alpha2/tasks/third").body["position"] is None


def test_a_position_beyond_a_thousand_is_capped(
    api: Client, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.listing.MAX_POSITION", 2)
    for number in range(4):
        api.submit(f"task-{number}")
    tasks = [api("GET", f"/v1alpha2/tasks/task-{number}").body for number in range(4)]
    assert [task["position"] for task in tasks] == [0, 1, 2, 2]
    assert ["position_capped" in task for task in tasks] == [False, False, False, True]
