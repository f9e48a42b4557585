"""The server: its routes, its page, and what it tells browsers to refuse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotation.database import Database
from annotation.intake import Intake
from annotation.people import person_of
from annotation.routes import (
    agreement,
    bouts,
    jobs,
    marks,
    members,
    people,
    projects,
    reports,
    reviews,
    tracks,
    uploads,
    videos,
)
from annotation.runner import Runner
from annotation.secrets import Brake
from data_prep.errors import warn

MOST_BYTES = 34 << 20  # of a request: a file of annotations, and no more
ANYBODY = 256 << 10  # bytes that are read before it is asked who they are from
MOST_OF_A_VIDEO = 4 << 30
UPLOAD = re.compile(r"/api/projects/\d+/videos")  # the one path on which more may come
VERSION = "1"  # of the API: another one where a program that used it would have to change
PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def make_app(
    database: Database,
    projects_in: Path | None = None,
    most_of_a_video: int = MOST_OF_A_VIDEO,
    intake: Intake | None = None,
) -> FastAPI:
    """The application on a database that is open. projects_in: where administrators may make projects; most_of_a_video:
    bytes of one that comes in; intake: what brings in videos that come into the datasets in another way."""
    app = FastAPI(title="ethocaffe annotate", version=VERSION, docs_url=None, redoc_url=None, lifespan=_jobs)
    app.state.database = database
    app.state.brake = Brake()
    app.state.projects, app.state.most_of_a_video = projects_in, most_of_a_video
    app.state.intake = intake or Intake(database)
    app.state.runner = Runner(database)
    for part in (people, projects, members, reports, videos, tracks, reviews, agreement, bouts, uploads, marks, jobs):
        app.include_router(part.router)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.exception_handler(IntegrityError)
    async def beaten(request: Request, error: IntegrityError) -> JSONResponse:
        return JSONResponse({"detail": "somebody else changed this at the same moment; try again"}, 409)

    # What a file says may be told back, half of a letter included.
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        told = str(error.detail).encode("utf-8", "replace").decode()
        return JSONResponse({"detail": told}, error.status_code, error.headers)

    # What was sent is not told back: it may hold what no JSON does, such as NaN, or half of a letter.
    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)  # of what a file that was sent says
    async def wrong(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        told = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
        return JSONResponse({"detail": told}, 422)

    @app.exception_handler(DataError)
    async def unstorable(request: Request, error: DataError) -> JSONResponse:
        return JSONResponse({"detail": "a text or a number in it is one that the database cannot hold"}, 422)

    @app.exception_handler(OSError)
    async def unwritable(request: Request, error: OSError) -> JSONResponse:
        warn(f"{request.method} {request.url.path}: {error}")  # with the file's name, which is for whoever runs it
        told = f"the server cannot keep it ({error.strerror or type(error).__name__}); tell whoever runs it"
        return JSONResponse({"detail": told}, 507)

    @app.exception_handler(OperationalError)
    async def away(request: Request, error: OperationalError) -> JSONResponse:
        warn(f"{request.method} {request.url.path}: {error.orig}")
        return JSONResponse({"detail": "the database takes nothing now; tell whoever runs this server"}, 503)

    app.add_middleware(Rules)
    return app


class Rules:
    """What holds for every answer: nothing too large is read, and browsers are told what to refuse. In ASGI's own
    terms, since a save passes here and Starlette's ready-made base would double its time."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        await (_too_large(request) or await _a_strangers(request) or self.app)(scope, receive, told)


@asynccontextmanager
async def _jobs(app: FastAPI) -> AsyncIterator[None]:
    """Jobs are run for as long as requests are answered."""
    app.state.runner.start()
    yield
    await run_in_threadpool(app.state.runner.stop)


def _too_large(request: Request) -> Response | None:
    """The refusal of a request that would fill the memory before anybody is asked who it is from."""
    if request.method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        return None
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        return JSONResponse({"detail": "say the length of what you send (Content-Length)"}, 411)
    most = request.app.state.most_of_a_video if UPLOAD.fullmatch(request.url.path) else MOST_BYTES
    if int(length) > most:
        return JSONResponse({"detail": f"at most {most >> 20} MB at once"}, 413)
    return None


async def _a_strangers(request: Request) -> Response | None:
    """The refusal of a long request from nobody that is known: taken apart, it would need many times its size."""
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) <= ANYBODY:
        return None
    try:
        await run_in_threadpool(person_of, request, request.app.state.database)
    except HTTPException as error:
        return JSONResponse({"detail": error.detail}, error.status_code)
    return None
