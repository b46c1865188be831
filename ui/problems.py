"""Errors of the server and how they look over HTTP: problem details (RFC 9457).

::

    PinciteError
    └── RequestError                  the request cannot be served; has a status
        ├── SignInError          401  nobody is signed in, or the key is not known
        ├── ForbiddenError       403  the caller's role does not allow it
        ├── NotFoundError        404  there is no such thing, or the caller may not know of it
        ├── TooLargeError        413  the body is over its limit
        ├── TooManyError         429  too many requests of this caller
        └── BusyError            503  too many requests of everybody
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from index.errors import DocumentError, LockedError, PinciteError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


class RequestError(PinciteError):
    """The request cannot be served.

    Attributes:
        retry_after: after how many seconds to try again, where that may help.
    """

    status = 400
    retry_after: int | None = None

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SignInError(RequestError):
    """Nobody is signed in, or the name, password or key is wrong."""

    status = 401


class ForbiddenError(RequestError):
    """The caller's role does not allow it."""

    status = 403


class NotFoundError(RequestError):
    """There is no such thing, or the caller may not know of it; both sound the same."""

    status = 404


class TooLargeError(RequestError):
    """The body is over its limit."""

    status = 413


class TooManyError(RequestError):
    """The caller has used up what it may ask in a minute."""

    status = 429


class BusyError(RequestError):
    """More wait already than can be served in a sensible time."""

    status = 503


def status_of(error: PinciteError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, UsageError | DocumentError):
        return 422
    return 503 if isinstance(error, LockedError) else 500


def body(status: int, detail: str, path: str = "", errors: list[dict[str, str]] | None = None) -> bytes:
    """Problem details as JSON; ``errors`` names each wrong field.

    Under ``/v1/`` they hold what OpenAI's clients look for, too.
    """
    title = HTTPStatus(status).phrase
    problem: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        problem["errors"] = errors
    if path.startswith("/v1/"):
        problem["error"] = {"message": detail, "type": title, "param": None, "code": None}
    return json.dumps(problem, ensure_ascii=False).encode()


def response(
    status: int,
    detail: str,
    retry_after: int | None = None,
    path: str = "",
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """A problem as a response to a request for some path."""
    headers = {}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body(status, detail, path, errors), status, headers, MEDIA_TYPE)


def of(error: PinciteError, path: str = "") -> Response:
    """An error of ours as a response."""
    status = status_of(error)
    if status == 500:
        _log.error("%s", error)
    retry_after = error.retry_after if isinstance(error, RequestError) else 5 if status == 503 else None
    return response(status, str(error), retry_after, path)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems as the description of a route tells of them."""
    fields = {"title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}}
    content = {MEDIA_TYPE: {"schema": {"type": "object", "properties": fields}}}
    return {status: {"description": "Problem details (RFC 9457).", "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Make every error of an application a problem."""

    @app.exception_handler(PinciteError)
    async def ours(request: Request, error: PinciteError) -> Response:
        return of(error, request.url.path)

    @app.exception_handler(HTTPException)
    async def theirs(request: Request, error: HTTPException) -> Response:
        problem = response(error.status_code, str(error.detail), path=request.url.path)
        problem.headers.update(error.headers or {})
        return problem

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may hold a password.
        errors = [{"at": ".".join(map(str, e["loc"])), "message": str(e["msg"])} for e in error.errors()]
        detail = f"{errors[0]['at']}: {errors[0]['message']}"
        return response(422, detail, path=request.url.path, errors=errors)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        return response(500, "something went wrong in the server: try again, and tell whoever runs it")
