"""The ASGI application: routes, error answers, and the request log around them."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from app import routes, service
from app.errors import RefusedError, is_full
from app.log_writer import LogWriter
from app.request_log import CLIENT_CLOSED, RequestLog
from app.settings import Settings

DESCRIPTION = """
Upload a CSV, JSON-lines or Parquet file and get back a profile of it: types, nulls, ranges,
distinct values and distributions of every column, as JSON, as a page, and the data as Parquet.

`POST /datasets` answers **202** as soon as the file is stored; poll `GET /datasets/{id}` until its
`status` is `ready` or `failed`. Every answer carries an `X-Request-Id` that is on every log line
of the request.
"""


def create(settings: Settings, writer: LogWriter) -> ASGIApp:
    """The whole application, ready for a server."""

    @contextlib.asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        async with service.running(settings, writer) as running:
            api.state.service = running
            yield

    api = FastAPI(
        title="Dataset profiles", version="1.0.0", description=DESCRIPTION, lifespan=lifespan
    )
    api.include_router(routes.router)
    api.add_exception_handler(RefusedError, _refused)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(ClientDisconnect, _disconnected)
    api.add_exception_handler(OSError, _volume)
    api.add_exception_handler(Exception, _unexpected)
    return RequestLog(api)


def _answer(request: Request, status: int, detail: object, **headers: str) -> JSONResponse:
    body = {"detail": detail, "request_id": request.state.request_id}
    return JSONResponse(body, status, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _answer(request, error.status, error.reason)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, error.detail, **dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(request, 422, jsonable_encoder(error.errors()))


async def _disconnected(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)


async def _volume(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    routes.log.error("volume_failed", exc_info=error)
    if is_full(error):
        return _answer(request, 507, "the volume is full; nothing was stored")
    return _answer(
        request,
        503,
        f"the volume does not work: {error.strerror or error}",
        **{"retry-after": "10"},
    )


async def _unexpected(request: Request, _error: Exception) -> Response:
    return _answer(request, 500, "something went wrong here; the log says what")
