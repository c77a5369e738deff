"""The API's routes, listed once for API Gateway, the API's Lambda and the OpenAPI document."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Route(NamedTuple):
    """A method and a path, in which `{id}` is a task's id and `{name}` that of a runtime."""

    method: str
    path: str


SUBMITS: Final = (Route("POST", "/v1alpha1"), Route("POST", "/v1alpha2"))
"""The routes that accept tasks."""

WAIT: Final = Route("GET", "/v1alpha2/tasks/{id}/wait")
"""The route whose requests take long, and therefore have a function of their own."""

CONSOLE: Final = Route("GET", "/console")
"""The page for people, which needs no key and which another function serves."""

ROUTES: Final = (
    *SUBMITS,
    Route("GET", "/v1alpha2/tasks"),
    Route("GET", "/v1alpha2/tasks/{id}"),
    WAIT,
    Route("DELETE", "/v1alpha2/tasks/{id}"),
    Route("DELETE", "/v1alpha2/tasks/{id}/outputs"),
    Route("POST", "/v1alpha2/tasks/{id}/webhook"),
    Route("GET", "/v1alpha2/runtimes"),
    Route("GET", "/v1alpha2/runtimes/{name}"),
    Route("POST", "/v1alpha2/uploads"),
    Route("GET", "/openapi.json"),
)

METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    path: tuple(route.method for route in ROUTES if route.path == path)
    for path in dict.fromkeys(route.path for route in ROUTES)
}
"""The methods that each path supports."""
