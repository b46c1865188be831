"""The web server: one application with the API, the OpenAI-compatible route, MCP and, mounted last, the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.routing import Match, Mount, Route

from index.errors import UsageError
from ui import admin_routes, api, openai_route, problems
from ui.mcp_server import McpRoute
from ui.security import Guard
from ui.service import Service

if TYPE_CHECKING:
    from starlette.types import Scope

    from ui.settings import Settings

_HERE = Path(__file__).parent
_ABOUT = """Questions answered from your own documents, every claim pinned to an exact sentence.

Sign in with a session cookie (`POST /api/v1/session`) or send an API key as a bearer token. Errors are problem details
(RFC 9457). Offsets count Unicode code points of a document's text.
"""
_FILES = {
    "/login": ("login.html", "text/html"),
    "/login.js": ("login.js", "text/javascript"),
    "/docs": ("docs.html", "text/html"),
    "/docs.js": ("docs.js", "text/javascript"),
    "/plain.css": ("plain.css", "text/css"),
}
_GRADIO = re.compile(
    r"/|/(?:config|theme\.css|favicon\.ico|(?:assets|static)/.+)"
    r"|/gradio_api/(?:info|app_id|queue/join|queue/data|cancel|heartbeat/[^/]+|call/(?!v2/)[^/]+(?:/[^/]+)?)"
)


def create_app(settings: Settings) -> FastAPI:
    """The application. The index is opened when it starts, once, and closed when it stops.

    Raises:
        UsageError: it could be reached from elsewhere, and there are no accounts; or they have no place.
    """
    check_reach(settings)
    service = Service(settings)
    mcp = McpRoute(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not service.is_open:
            await run_sync(service.open)
        try:
            async with mcp.running():
                yield
        finally:
            await run_sync(service.close)

    app = FastAPI(
        title="pincite",
        version=version("pincite"),
        description=_ABOUT,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.end = lambda: None  # ends the connections that a page keeps open
    app.add_middleware(Guard, service=service, settings=settings)
    problems.install(app)
    _health(app, service)
    _files(app)
    app.include_router(api.routes(service))
    app.include_router(openai_route.routes(service))
    app.include_router(admin_routes.routes(service))
    app.router.routes.append(Route("/mcp", mcp, methods=["GET", "POST", "DELETE"]))
    if settings.page:
        with _without_stubs():
            from ui import chat

        chat.mount(app, service)
        mounted = cast(Mount, app.router.routes.pop())
        app.state.end = cast(Any, mounted.app).stop_event.set
        app.router.routes.append(_Used(mounted.path, app=mounted.app))
    return app


@contextmanager
def _without_stubs() -> Iterator[None]:
    """Gradio, when imported, parses the source of each of its components to write a type stub beside it: two seconds.

    It leaves out those whose file cannot be told.
    """
    told = inspect.getfile

    def untold(thing: Any) -> str:  # noqa: ANN401
        if type(thing).__name__ == "ComponentMeta":
            raise OSError
        return told(thing)

    inspect.getfile = untold  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = told


class _Used(Mount):
    """The page as gradio mounts it, at the end of the routes and for every path, but only where it is needed.

    The rest of what gradio serves would fetch addresses for its callers, keep their files or show what it counts; and
    what is not there under ``/api`` would get an answer of its kind.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the page's own scripts, or gradio's clients, ask for this."""
        return super().matches(scope) if _GRADIO.fullmatch(scope["path"]) else (Match.NONE, {})


def check_reach(settings: Settings) -> None:
    """Refuse to be reached from elsewhere by anyone at all.

    Raises:
        UsageError: there are no accounts, and the address is not this machine's alone.
    """
    from ui.accounts import Accounts
    from ui.state import State

    if settings.is_local:
        return
    state = State(settings.keeps)
    try:
        if not Accounts(state).exist():
            raise UsageError(
                f"{settings.host} can be reached from other machines, and there are no accounts: make one first with "
                f"`pincite user add NAME --role admin --index {settings.index}`, or serve on 127.0.0.1"
            )
    finally:
        state.close()


def _health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"])
    async def alive() -> dict[str, str]:
        """Whether the process runs."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: {"description": "Too busy."}})
    async def ready() -> JSONResponse:
        """Whether questions can be answered now."""
        good = await service.ready()
        return JSONResponse({"status": "ready" if good else "busy"}, 200 if good else 503)


def _files(app: FastAPI) -> None:
    """The few pages that are plain files: signing in, and the description of the API."""

    def serve(path: str, name: str, media_type: str) -> None:
        async def page() -> Response:
            return FileResponse(_HERE / name, media_type=media_type, headers={"Cache-Control": "no-cache"})

        app.add_api_route(path, page, include_in_schema=False)

    for path, (name, media_type) in _FILES.items():
        serve(path, name, media_type)
