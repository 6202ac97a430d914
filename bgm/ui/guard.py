"""Checks on a request before Gradio sees it: from this page, for an address in use, logged in, not too large.

Gradio's own checks stay as they are (who may log in, which files it serves); this adds what it leaves open.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bgm.ui.view import PREFIX

MAX_CALL_BYTES = 2 * 2**20
"""Largest JSON body of a call: a thousand edits with long prompts fit."""
RESERVE_BYTES = 512 * 2**20
"""Free space that uploads must leave on their disk."""
_UPLOAD = "/gradio_api/upload"
_LOOPBACK = ("127.0.0.1", "localhost")
_UNUSED = (
    "/gradio_api/file=http",
    "/gradio_api/file/",
    "/gradio_api/proxy=",
    "/gradio_api/process_recording",
    "/gradio_api/deep_link",
    "/gradio_api/run-history",
    "/gradio_api/runs",
    "/gradio_api/stream/",
    "/gradio_api/dev/",
    "/gradio_api/vibe-",
    "/gradio_api/undo-vibe-edit",
    "/gradio_api/profiling",
    "/gradio_api/custom_component",
    "/monitoring",
)
"""Gradio routes that the page never uses. Some fetch URLs, others store or show what strangers did."""
_PROJECTS = f"/{PREFIX}/"
_SCRIPTS = f"/{PREFIX}/static/"
_FOR_MACHINES = ("/healthz", "/metrics")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


def listens_on(server_name: str | None) -> str:
    """The address that Gradio will listen on; a Space is always asked for under a name of the network."""
    if os.environ.get("SPACE_ID"):
        return "0.0.0.0"
    return server_name or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")


def middleware(server_name: str, names: Sequence[str], max_upload_bytes: int) -> list[Middleware]:
    """For the application. ``names`` are the operator's names for the server; ``server_name`` is what it listens on.

    A server that listens on the loopback only is asked for by name only there: a foreign name that leads to it is
    another site's (DNS rebinding). One that listens to a network answers to any name unless ``names`` are given.
    """
    is_local = server_name in _LOOPBACK
    hosts = [*_LOOPBACK, *names] if is_local or names else ["*"]
    return [
        Middleware(KnownHosts, allowed_hosts=hosts, www_redirect=False),
        Middleware(Guard, max_upload_bytes=max_upload_bytes),
    ]


class KnownHosts(TrustedHostMiddleware):
    """Rejects foreign host names, except for probes and Prometheus, which know the address, not the name."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and get_route_path(scope) in _FOR_MACHINES:
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on with its body counted and our headers on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = get_route_path(scope)  # as the router sees it: without GRADIO_ROOT_PATH
        refusal = _refusal(path, Request(scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if path.startswith(_UPLOAD):
            receive = _whole_upload(receive, self._max_upload_bytes)
        else:
            receive = _counted(receive, MAX_CALL_BYTES, HTTPException(413, "this call is too large"))
        await self._app(scope, receive, _with_headers(send))


def _refusal(path: str, request: Request) -> Response | None:
    # None of the checks reads the body.
    if path.startswith(_UNUSED):
        return PlainTextResponse("there is nothing here", status_code=404)
    if is_foreign(request.method, request.headers):
        return PlainTextResponse(
            "another site may not use this page; a proxy before it must pass the Host header on", status_code=403
        )
    if path.startswith(_PROJECTS) and not path.startswith(_SCRIPTS) and not _is_logged_in(request):
        return PlainTextResponse("please log in", status_code=401)
    if path.startswith(_UPLOAD) and not _has_room(request):
        return PlainTextResponse("the server's disk is full at the moment; please try again later", status_code=507)
    return None


def is_foreign(method: str, headers: Headers) -> bool:
    """Whether a browser sent this for another site's page. Following a link to this one, or framing it, is no harm.

    Browsers say so themselves in Sec-Fetch-Site (W3C Fetch Metadata), except to plain http on a network: there the
    Origin must be the Host. Programs send neither.
    """
    # 1. A current browser: it says where the request comes from, and no page's script can change that.
    site = headers.get("sec-fetch-site")
    if site in {"same-origin", "none"}:
        return False
    if site is not None:
        return not (method in {"GET", "HEAD"} and headers.get("sec-fetch-mode") == "navigate")
    # 2. A browser on plain http without TLS sends no Sec-Fetch headers: there Origin and Host must agree. 3. Neither: a
    # program, which no foreign page can command.
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _is_logged_in(request: Request) -> bool:
    """Whether Gradio's login page gave this browser its cookie, or no login is asked for."""
    app = request.app
    if app.auth is None:
        return True
    # As gradio.routes reads it, http and https; Gradio has no public function for it.
    cookies = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(request.cookies.get(cookie) in app.tokens for cookie in cookies)


def _has_room(request: Request) -> bool:
    """Whether the disk keeps its reserve when the announced upload lies on it (a false length is caught later)."""
    announced = request.headers.get("content-length", "0")
    folder = Path(request.app.uploaded_file_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free - (int(announced) if announced.isdecimal() else 0) >= RESERVE_BYTES


def _counted(receive: Receive, limit: int, refusal: Exception) -> Receive:
    """Stop reading a body that is larger than ``limit`` bytes, whatever length was announced."""
    seen = 0

    async def inner() -> Message:
        nonlocal seen
        message = await receive()
        # Counted as it comes: a chunked body announces no length, and an announced one may be a lie.
        seen += len(message.get("body", b""))
        if seen > limit:
            raise refusal
        return message

    return inner


def _whole_upload(receive: Receive, limit: int) -> Receive:
    """The same for an upload; Gradio deletes what it has of one only if it ends with this kind of exception."""
    counted = _counted(receive, limit, MultiPartException("The upload exceeds the maximum allowed size."))
    is_whole = False

    async def inner() -> Message:
        nonlocal is_whole
        message = await counted()
        if message["type"] == "http.disconnect" and not is_whole:  # afterwards it is only a browser that leaves
            raise MultiPartException("The upload was broken off.")
        is_whole = is_whole or not message.get("more_body", False)
        return message

    return inner


def _with_headers(send: Send) -> Send:
    async def inner(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                # Not over what an answer has set itself: a project's file has a stricter policy (bgm.ui.media).
                headers.setdefault(name, value)
        await send(message)

    return inner
