"""What one job leaves on ComfyUI: its input files, its outputs, its temporary files and its history."""

import logging
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from adapters.public_http.errors import InputError
from container.consumer.engines.comfyui.answer import temporary_files
from container.consumer.engines.comfyui.client import ComfyUi, NoAnswer
from container.consumer.engines.comfyui.folders import Folders, new_input_name, new_nonce
from container.consumer.engines.comfyui.whole import is_whole
from container.consumer.inputs.fetch import Fetched
from domain.body import pointer
from domain.errors import ErrorCode, RetryableError

log = logging.getLogger(__name__)

Json = dict[str, Any]

FORGET_TIMES: Final = 2

AGAIN_SECONDS: Final = (5.0, 60.0)
"""When everything is removed again if ComfyUI left a request unanswered: it may execute it later."""


class JobFiles:
    """Everything of one job on ComfyUI, under names that nobody can guess; `remove` removes it."""

    def __init__(self, server: ComfyUi, folders: Folders) -> None:
        self.job = str(uuid.uuid4())
        self.nonce = new_nonce()
        """The folder of the job's outputs."""
        self.history: Json | None = None
        """The job's entry in ComfyUI's history, which names its temporary files; None if it is not known."""
        self._server = server
        self._folders = folders
        self._inputs: list[str] = []
        self._is_sent = False
        self._is_uncertain = False

    def upload(self, inputs: Mapping[str, Fetched], path: str) -> str:
        """Upload the input at a JSON pointer and return the name by which nodes find it."""
        fetched = inputs[path]
        if not is_whole(fetched.data, fetched.file_type.format):
            # ComfyUI takes a file that breaks off for an image, and the rest of it is grey.
            text = f"the {fetched.file_type.format} file is not complete."
            is_image = fetched.file_type.kind == "image"
            code = ErrorCode.INPUT_NOT_AN_IMAGE if is_image else ErrorCode.INPUT_WRONG_TYPE
            raise InputError(code, text).at(path)
        name = new_input_name(fetched.file_type.extension)
        self._inputs.append(name)
        with self._noting_no_answer():
            stored = self._server.upload(name, fetched.data, fetched.file_type.content_type)
        if stored != name:
            self._inputs.append(stored)
        return stored

    def upload_all(self, inputs: Mapping[str, Fetched], names: list[str]) -> dict[str, str]:
        """Upload the named files of a task; return the server's name of each."""
        return {name: self.upload(inputs, f"/files/{pointer(name)}") for name in names}

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Note that the job is sent to ComfyUI inside the block, so that `remove` looks for it there."""
        self._is_sent = True
        with self._noting_no_answer():
            yield

    def remove(self) -> None:
        """Remove everything, once more later if a request was not answered; errors are only logged."""
        self._remove()
        for seconds in AGAIN_SECONDS if self._is_uncertain else ():
            again = threading.Timer(seconds, self._remove)
            again.daemon = True
            again.start()

    def _remove(self) -> None:
        if self._is_sent:
            self._remove_job()
        self._folders.remove_inputs(self._inputs)
        self._folders.remove_outputs(self.nonce, temporary_files(self.history) if self.history else [])

    @contextmanager
    def _noting_no_answer(self) -> Iterator[None]:
        try:
            yield
        except NoAnswer:
            self._is_uncertain = True
            raise

    def _remove_job(self) -> None:
        """Delete the job's history, and stop the job if it came late and nobody waits for it."""
        with suppress(RetryableError):
            if self._is_uncertain and self.job in self._server.queued():
                self._server.cancel(self.job)
            self.history = self.history or self._server.history(self.job)
        for _ in range(FORGET_TIMES):
            try:
                self._server.forget(self.job)
                break
            except RetryableError as error:
                log.info("the history of a job was not deleted", extra={"reason": error.message})
