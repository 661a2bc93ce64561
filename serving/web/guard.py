"""Middleware before every route: API keys, rate limits, body sizes and timeouts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.web.error_responses import error_response
from serving.web.keys import Keys
from serving.web.rate_limit import RateLimit

_GUARDED = "/v1/"
_OPEN = frozenset({"/v1/health/live", "/v1/health/ready"})
_ANONYMOUS = "anonymous"
_CLIENT_CLOSED = 499  # the client closed the connection before there was a response

Observer = Callable[[str, int, float], None]


class Guard:
    """ASGI middleware for ``/v1/``.

    The page, the documentation and the health probes are open, because they contain no forecast.

    Parameters
    ----------
    app
        The application behind it.
    keys
        Valid API keys (``Authorization: Bearer KEY``); without keys every client is admitted.
    rate
        Rate limit per key, or of all clients together without keys; no limit if None.
    max_body
        Maximum bytes of a body, whatever its headers say; more is 413.
    timeout_s
        Seconds after which a request without a response gets 503.
    observe
        Called with the route, status and seconds of each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        rate: RateLimit | None,
        max_body: int,
        timeout_s: float,
        observe: Observer | None = None,
    ) -> None:
        self._app, self._keys, self._rate, self._observe = app, keys, rate, observe
        self._max_body, self._timeout_s = max_body, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = _path(scope)
        if scope["type"] != "http" or not path.startswith(_GUARDED) or path in _OPEN:
            await self._app(scope, receive, send)
            return
        start, status, received = time.perf_counter(), 0, 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise HTTPException(413, self._too_large)
            return message

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if (refusal := self._refusal(scope)) is not None:
                await refusal(scope, receive, observed_send)
                return
            async with asyncio.timeout(self._timeout_s):
                await self._app(scope, limited_receive, observed_send)
        except TimeoutError:
            if not status:
                late = error_response(503, "timeout", f"no answer within {self._timeout_s:g} s", retry_after_s=1)
                await late(scope, receive, observed_send)
        except Exception:
            status = status or 500
            raise
        finally:
            if self._observe is not None:
                self._observe(_route(scope), status or _CLIENT_CLOSED, time.perf_counter() - start)

    @property
    def _too_large(self) -> str:
        return f"a body may have at most {self._max_body} bytes; request fewer symbols or send fewer bars"

    def _refusal(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        client = _ANONYMOUS  # behind a proxy an address is the proxy's, or what the client claims
        if self._keys is not None:
            scheme, _, key = _header(scope, b"authorization").partition(" ")
            name = self._keys.name_of(key.strip()) if scheme.lower() == "bearer" else None
            if name is None:
                message = "send a valid API key as `Authorization: Bearer KEY`"
                return error_response(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
            client = name
        length = _header(scope, b"content-length")
        if length.isdecimal() and int(length) > self._max_body:
            return error_response(413, "too_large", self._too_large)
        if self._rate is not None and (wait_s := self._rate.wait_s(client)):
            message = f"more than {self._rate.per_minute} requests a minute"
            return error_response(429, "rate_limited", message, retry_after_s=wait_s)
        return None


def _header(scope: Scope, wanted: bytes) -> str:
    return next((str(value.decode("latin-1")) for name, value in scope["headers"] if name == wanted), "")


def _route(scope: Scope) -> str:
    """Return the route without the symbols in it: a metric must not have a series per symbol."""
    return str(getattr(scope.get("route"), "path", _path(scope) if _path(scope) == "/v1/predictions" else "other"))


def _path(scope: Scope) -> str:
    """Return the path below the prefix that the application is mounted at."""
    return str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
