"""The server: its routes, its page, and what it tells browsers to refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from annotation.database import Database
from annotation.routes import people, projects, tracks, videos
from annotation.secrets import Brake

VERSION = "1"  # of the API: another one where a program that used it would have to change
PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def make_app(database: Database) -> FastAPI:
    """The application on a database that is open."""
    app = FastAPI(title="ethocaffe annotate", version=VERSION, docs_url=None, redoc_url=None)
    app.state.database = database
    app.state.brake = Brake()
    for part in (people, projects, videos, tracks):
        app.include_router(part.router)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith("/api/") and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response

    return app
