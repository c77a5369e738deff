"""Checks before a deployment that need no AWS: Docker is running, and registries have the images."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.stubbed import StubbedClients
from tools.preflight.artifacts import docker
from tools.preflight.finding import Verdict
from tools.preflight.registry import ImageNotFound, look_up, split_image_name

AMD64 = "sha256:" + "b" * 64
INDEX = "sha256:" + "c" * 64
LAYERS = {"layers": [{"size": 3_000_000_000}, {"size": 1_000_000}]}


class _Registry(BaseHTTPRequestHandler):
    """Gives a token to everybody, and has one image for two platforms and one for none that runs here."""

    manifests: ClassVar[dict[str, Any]] = {
        "latest": {
            "manifests": [
                {"digest": "sha256:arm", "platform": {"os": "linux", "architecture": "arm64"}},
                {"digest": AMD64, "platform": {"os": "linux", "architecture": "amd64"}},
            ]
        },
        "arm": {"manifests": [{"digest": "x", "platform": {"os": "linux", "architecture": "arm64"}}]},
        AMD64: LAYERS,
    }

    def do_GET(self) -> None:
        address = f"http://{self.headers['host']}"
        if self.path.startswith("/token"):
            return self._answer(200, {"token": f"for {self.path.partition('?')[2]}"})
        if not self.headers.get("authorization", "").startswith("Bearer for service=here&scope="):
            challenge = f'Bearer realm="{address}/token",service="here",scope="repository:team/webui:pull"'
            return self._answer(401, {}, **{"www-authenticate": challenge})
        manifest = self.manifests.get(self.path.rsplit("/", 1)[1])
        if manifest is None or not self.path.startswith("/v2/team/webui/manifests/"):
            return self._answer(404, {})
        return self._answer(200, manifest, **{"docker-content-digest": INDEX})

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("reference", ["latest", AMD64])
def test_an_image_in_a_registry_for_everybody_is_found_with_its_size(registry: str, reference: str) -> None:
    description = look_up(f"{registry}/team/webui", reference, scheme="http")
    assert (description.digest, description.size) == (INDEX, 3_001_000_000)


@pytest.mark.parametrize(
    ("name", "reference"), [("team/webui", "v9"), ("team/webui", "arm"), ("other", "latest")]
)
def test_an_image_that_cannot_run_here_is_not_found(registry: str, name: str, reference: str) -> None:
    with pytest.raises(ImageNotFound):
        look_up(f"{registry}/{name}", reference, scheme="http")


def test_names_without_a_registry_are_docker_hubs() -> None:
    hub = split_image_name("docker.io/team/webui")[0]
    assert split_image_name("team/webui") == (hub, "team/webui")
    assert split_image_name("python") == (hub, "library/python")
    assert split_image_name("public.ecr.aws/alias/name") == ("public.ecr.aws", "alias/name")


@pytest.mark.parametrize(
    ("script", "verdict", "says"),
    [
        ("echo 28.1.0", Verdict.OK, "version 28.1.0"),
        (
            "echo Cannot connect to the daemon >&2; exit 1",
            Verdict.FAILED,
            "Cannot connect to the daemon: start",
        ),
        (None, Verdict.FAILED, "not found: install it"),
    ],
)
def test_docker_must_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, verdict: Verdict, says: str
) -> None:
    if script:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    (finding,) = docker(StubbedClients().account("modelsRuntime: [{name: r, modelFilename: m}]"))
    assert (finding.verdict, says in finding.text) == (verdict, True), finding.text
