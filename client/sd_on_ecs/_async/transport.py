"""Send requests to the API and to the links that it gives, again where that is safe."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from sd_on_ecs.connection import normalize_key
from sd_on_ecs.errors import InputError, Unreachable, error_of, require_json
from sd_on_ecs.retrying import Retries
from sd_on_ecs.version import __version__

TIMEOUT: Final = httpx.Timeout(35.0, connect=10.0)
"""API Gateway answers within 29 seconds."""

LOCAL_HOSTS: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""What a proxy in the environment cannot reach."""


class AsyncTransport:
    """Sends requests with the API key; links to objects get no key, because they lead to S3."""

    def __init__(self, endpoint: str, key: str, *, retries: Retries, timeout: httpx.Timeout) -> None:
        self.endpoint = endpoint
        self._key = normalize_key(key)
        self._retries = retries
        self._http = httpx.AsyncClient(
            timeout=timeout,
            headers={"user-agent": f"sd-on-ecs/{__version__}"},
            mounts=dict.fromkeys(LOCAL_HOSTS, httpx.AsyncHTTPTransport()),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        repeatable: bool = True,
    ) -> httpx.Response:
        """Return a response that has a JSON object or an accepted status; raise `ApiError` for others."""
        request = self._http.build_request(
            method,
            f"{self.endpoint}{path}",
            json=body,
            params={name: value for name, value in (query or {}).items() if value is not None},
            headers={"x-api-key": self._key, **(headers or {})},
        )
        response = await self._send(request, accepted=accepted, repeatable=repeatable)
        if response.is_success:
            require_json(response)
        elif response.status_code not in accepted:
            raise error_of(response)
        return response

    async def post_form(
        self, url: str, fields: Mapping[str, str], name: str, content: bytes
    ) -> httpx.Response:
        """Return the response to a form with a file as its last field."""
        files = {"file": (name, content)}
        request = self._http.build_request("POST", url, data=dict(fields), files=files)
        request.read()  # so that it can be sent again
        return await self._send(request)

    async def save(self, url: str, path: Path) -> httpx.Response:
        """Write what a link leads to into a file, which appears only once it is complete."""
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        attempt = 0
        try:
            while True:
                try:
                    response = await self._stream(url, partial)
                    delay = self._retries.delay_after_response(response, attempt, repeatable=True)
                    if delay is None:
                        break
                except httpx.RequestError as error:
                    delay = self._retries.delay_after_error(error, attempt, repeatable=True)
                    if delay is None:
                        raise _unreachable(url, error) from error
                await asyncio.sleep(delay)
                attempt += 1
            if response.is_success:
                partial.replace(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return response

    async def _stream(self, url: str, path: Path) -> httpx.Response:
        async with self._http.stream("GET", url) as response:
            if not response.is_success:
                await response.aread()
                return response
            with path.open("wb") as file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)
        return response

    async def _send(
        self, request: httpx.Request, *, accepted: tuple[int, ...] = (), repeatable: bool = True
    ) -> httpx.Response:
        attempt = 0
        while True:
            try:
                response = await self._http.send(request)
            except httpx.RequestError as error:
                delay = self._retries.delay_after_error(error, attempt, repeatable=repeatable)
                if delay is None:
                    raise _unreachable(str(request.url), error) from error
            else:
                delay = self._retries.delay_after_response(response, attempt, repeatable=repeatable)
                if delay is None or response.status_code in accepted:
                    return response
            await asyncio.sleep(delay)
            attempt += 1


def _unreachable(url: str, error: httpx.RequestError) -> Unreachable:
    place = httpx.URL(url)
    reason = str(error) or type(error).__name__
    return Unreachable(f"{place.scheme}://{place.netloc.decode()} cannot be reached: {reason}")
