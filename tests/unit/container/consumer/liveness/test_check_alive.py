"""The consumer's health check, run as ECS runs it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from container.consumer.liveness import check_alive
from domain.limits import VISIBILITY_SECONDS


def _check(mark: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", check_alive.__file__],
        env={"HEARTBEAT_FILE": str(mark), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _beat(mark: Path, *, seconds_ago: float) -> None:
    mark.touch()
    then = time.time() - seconds_ago
    os.utime(mark, (then, then))


def test_a_recent_heartbeat_is_alive(tmp_path: Path) -> None:
    mark = tmp_path / "heartbeat"
    _beat(mark, seconds_ago=VISIBILITY_SECONDS - 20)
    completed = _check(mark)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")


def test_a_heartbeat_older_than_the_lease_is_dead(tmp_path: Path) -> None:
    mark = tmp_path / "heartbeat"
    _beat(mark, seconds_ago=VISIBILITY_SECONDS + 1)
    completed = _check(mark)
    assert completed.returncode == 1
    assert completed.stderr.startswith("the last heartbeat was 12")


def test_no_heartbeat_at_all_is_dead(tmp_path: Path) -> None:
    completed = _check(tmp_path / "heartbeat")
    assert completed.returncode == 1
    assert completed.stderr.startswith("no heartbeat: ")


def test_without_the_setting_for_the_file_the_container_is_dead(tmp_path: Path) -> None:
    completed = _check(tmp_path / "heartbeat", HEARTBEAT_FILE="")
    assert (completed.returncode, completed.stderr) == (1, "no heartbeat: HEARTBEAT_FILE is not set\n")


def test_the_lease_is_read_from_the_settings(tmp_path: Path) -> None:
    mark = tmp_path / "heartbeat"
    _beat(mark, seconds_ago=8)
    assert _check(mark, VISIBILITY_SECONDS="6").returncode == 1
    assert _check(mark, VISIBILITY_SECONDS="20").returncode == 0


def test_the_default_lease_is_that_of_the_domain() -> None:
    assert check_alive.DEFAULT_LEASE_SECONDS == VISIBILITY_SECONDS


def test_an_empty_setting_means_the_default(tmp_path: Path) -> None:
    mark = tmp_path / "heartbeat"
    _beat(mark, seconds_ago=8)
    assert _check(mark, VISIBILITY_SECONDS="").returncode == 0
