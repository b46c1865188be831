"""What stands before every route: who comes, by which name, from which page, how often and with how much.

One ASGI layer, so that what others mount (the page, MCP) is behind it too. Nothing but `PUBLIC` is open to a stranger.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse

from index.errors import PinciteError
from ui import problems
from ui.accounts import LOCAL
from ui.connections import SLOWEST
from ui.limits import Rates
from ui.problems import ForbiddenError, RequestError, SignInError, TooLargeError
from ui.settings import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ui.models import Caller
    from ui.service import Service
    from ui.settings import Settings

COOKIE = "pincite_session"
PUBLIC = frozenset({"/healthz", "/readyz", "/login", "/login.js", "/plain.css", "/api/v1/session", "/favicon.ico"})
_OURS = ("/api/", "/v1/", "/mcp", "/docs", "/login", "/plain.css", "/healthz", "/readyz", "/metrics")
_UPLOAD = ("POST", "/api/v1/documents")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PATIENCE = 30.0  # seconds that a body may take, and then one more for each `SLOWEST` bytes of it
_KEY = "pincite.caller"
_GONE = 499  # what is counted where a client left before it was answered

# Gradio's page needs inline scripts and styles, and makes functions from text.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class MisdirectedError(RequestError):
    """The request names a host that this server does not go by."""

    status = 421


class SlowError(RequestError):
    """The body did not come in time."""

    status = 408


def caller_of(request: Any) -> Caller:  # noqa: ANN401  a request of Starlette, or of Gradio around one
    """Who a request comes from, as `Guard` found.

    Raises:
        SignInError: nobody is signed in.
    """
    scope: Scope = getattr(request, "request", request).scope
    caller: Caller | None = scope.get(_KEY)
    if caller is None:
        raise SignInError("sign in first: open /login, or send an API key as a bearer token")
    return caller


def token_of(headers: Headers) -> str | None:
    """The session that a request's cookie names."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


class Guard:
    """Checks host, origin, caller, rate and size of each request, and sets the headers of each response."""

    def __init__(self, app: ASGIApp, service: Service, settings: Settings) -> None:
        self._app = app
        self._service = service
        self._settings = settings
        self._rates = Rates(settings.rate)
        self._hosts = {name.lower() for name in (*settings.allowed_hosts, settings.host, "localhost")}
        if not settings.is_local:
            self._hosts.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":  # nothing here speaks it
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._counted(scope, receive, _with_headers(scope, send))

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status, seconds = perf_counter(), _GONE, 0.0

        async def sending(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], perf_counter() - began
            await send(message)

        try:
            await self._http(scope, receive, sending)
        finally:
            self._service.watch.request(scope, status, seconds or perf_counter() - began)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        try:
            self._check_host(headers)
            check_origin(scope["method"], headers)
            caller = await self._caller(headers, path)
            self._rates.take(f"user {caller.name}" if caller else f"address {(scope['client'] or ['?'])[0]}")
            if caller is None and path not in PUBLIC:
                if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                    await RedirectResponse(f"/login?next={quote(_local(scope), safe='')}", 303)(scope, receive, send)
                    return
                raise SignInError("sign in first: open /login, or send an API key as a bearer token")
            may_upload = caller is not None and caller.may_edit and (scope["method"], path) == _UPLOAD
            most = self._settings.upload_limit if may_upload else self._settings.body_limit
            if int(headers.get("content-length") or 0) > most:
                raise TooLargeError(f"the request is larger than {most:,} bytes: send less at once")
        except PinciteError as error:
            await problems.of(error, path)(scope, receive, send)
            return
        except ValueError:
            await problems.response(400, "the length of the request is not a number")(scope, receive, send)
            return
        scope[_KEY] = caller
        body = _Body(receive, send, most)
        await self._app(scope, body.receive, body.send)

    def _check_host(self, headers: Headers) -> None:
        """Refuse names that are not ours, as a page elsewhere would use after pointing its own name here."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if host in self._hosts or (is_loopback(host) if self._settings.is_local else _is_address(host)):
            return
        raise MisdirectedError(f"this server does not go by {host!r}: add it to the setting allowed_hosts")

    async def _caller(self, headers: Headers, path: str) -> Caller | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        token = token_of(headers)

        def find() -> Caller | None:
            accounts = self._service.accounts
            if not accounts.exist():
                return LOCAL if self._settings.is_local else None
            if scheme.lower() == "bearer":
                try:
                    return accounts.by_key(key.strip())
                except SignInError:
                    if path in PUBLIC:
                        return None
                    raise
            return accounts.by_session(token) if token else None

        return await self._service.desk.run(find)


class _Body:
    """The body of a request as it comes in, up to a size and not too slowly."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._read = 0
        self._begun_at = monotonic()
        self._complete = False
        self._began = False
        self._failed: RequestError | None = None

    async def receive(self) -> Message:
        """The next part; once there was too much, or it took too long, the client counts as gone."""
        if self._failed:
            return {"type": "http.disconnect"}
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._begun_at + _PATIENCE + self._read / SLOWEST - monotonic()):
                message = await self._receive()
        except TimeoutError:
            return self._fail(SlowError("the request did not come in time: send it again"))
        self._complete = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            return self._fail(TooLargeError(f"the request is larger than {self._most:,} bytes: send less at once"))
        return message

    def _fail(self, problem: RequestError) -> Message:
        self._failed = problem
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the application answers, or why its request was cut off."""
        if self._failed and not self._began:
            self._began = True
            reply = problems.of(self._failed)
            await self._send({"type": "http.response.start", "status": reply.status_code, "headers": reply.raw_headers})
            await self._send({"type": "http.response.body", "body": bytes(reply.body)})
        elif not self._failed:
            self._began = True
            await self._send(message)


def check_origin(method: str, headers: Headers) -> None:
    """Refuse what another site's page sends in a user's name.

    Raises:
        ForbiddenError: the request comes from another origin.
    """
    refusal = ForbiddenError("this request comes from another site: open the page itself")
    origin = headers.get("origin")
    if method not in _SAFE and origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise refusal
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode")
    if site in ("cross-site", "same-site") and not (mode == "navigate" and method in _SAFE):
        raise refusal


def _is_address(host: str) -> bool:
    """Whether a host is an address; no other site's name can be pointed at one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _local(scope: Scope) -> str:
    """The path and query of a request."""
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _with_headers(scope: Scope, send: Send) -> Callable[[Message], Awaitable[None]]:
    ours = scope["path"].startswith(_OURS)
    asked = Headers(scope=scope)
    # A proxy may have read such a request otherwise: what follows on this connection is not trusted (RFC 9112, 6.1).
    has_two_readings = "transfer-encoding" in asked and "content-length" in asked

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            if has_two_readings:
                headers["Connection"] = "close"
            headers["Content-Security-Policy"] = _STRICT_POLICY if ours else _PAGE_POLICY
            if scope["scheme"] == "https":
                headers["Strict-Transport-Security"] = "max-age=31536000"
            if ours:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
