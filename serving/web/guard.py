"""Middleware before every route: host names, API keys, rate limits, bodies, slots and timeouts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from configs.operation import ServeConfig
from serving.web.admission import BodyReader, BusyError, Shares, Slots, SlowBodyError, TooLargeError
from serving.web.error_responses import error_response
from serving.web.hosts import Hosts
from serving.web.keys import Keys
from serving.web.rate_limit import RateLimit

_GUARDED = ("/v1/", "/reports/")
_PROBES = frozenset({"/v1/health/live", "/v1/health/ready"})
_PAGE_FILES = 16  # sent at the same time: without a key no one may occupy the replica with files of megabytes
_ANONYMOUS = "anonymous"
_CLIENT_CLOSED = 499  # the client closed the connection before there was a response
_CLOSE = {"Connection": "close"}  # what follows on the connection is the rest of a body

Observer = Callable[[str, int, float], None]
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware that decides which requests are answered, and how many at the same time.

    Every request must name an allowed host. Those to ``/v1/`` and ``/reports/`` also need a valid key, and are limited:
    the body is received first, in ``config.body_timeout_s``; only then does the request occupy one of
    ``config.max_ongoing`` slots. The page, the documentation and the health probes need no key, because they contain no
    forecast; files of the page have few slots of their own, and probes need none.

    Parameters
    ----------
    app
        The application behind it.
    config
        Limits of bodies, rates, queues and times.
    keys
        Valid API keys (``Authorization: Bearer KEY``); without keys every client is admitted.
    hosts
        Which ``Host`` headers are answered.
    observe
        Called with the route, status and seconds of each request that needs a key.
    """

    def __init__(
        self, app: ASGIApp, config: ServeConfig, keys: Keys | None, hosts: Hosts, observe: Observer | None = None
    ) -> None:
        self._app, self._keys, self._hosts, self._observe = app, keys, hosts, observe
        self._rate = None if config.requests_per_minute is None else RateLimit(config.requests_per_minute)
        self._max_body, self._timeout_s = int(config.max_body_mib * 2**20), config.timeout_s
        self._bodies, self._body_timeout_s = BodyReader(self._max_body, config.body_timeout_s), config.body_timeout_s
        self._shares = Shares(config.max_ongoing_per_key)
        self._slots = Slots(config.max_ongoing, config.max_queued)
        self._page_slots = Slots(_PAGE_FILES, config.max_queued)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if unknown := [text for text in _headers(scope, b"host") if not self._hosts.allow(text)]:
            await _misdirected(unknown[0])(scope, receive, send)
            return
        path = _path(scope)
        if path in _PROBES:
            await self._app(scope, receive, send)
            return
        is_guarded = path.startswith(_GUARDED)
        start, status = time.perf_counter(), 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s):
                refusal = await (self._answer if is_guarded else self._show)(scope, receive, observed_send)
            if refusal is not None:
                await refusal(scope, receive, observed_send)
        except TimeoutError:
            if not status:
                late = error_response(503, "timeout", f"no answer within {self._timeout_s:g} s", retry_after_s=1)
                await late(scope, receive, observed_send)
        except Exception:
            status = status or 500
            raise
        finally:
            if is_guarded and self._observe is not None:
                self._observe(_route(scope), status or _CLIENT_CLOSED, time.perf_counter() - start)

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Let the application send a file of the page or the documentation, or return why it does not."""
        try:
            async with self._page_slots:
                await self._app(scope, receive, send)
        except BusyError as error:
            return error_response(429, "busy", str(error), retry_after_s=1)
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Let the application answer, or return why it does not."""
        client: str | None = None
        if self._keys is not None:
            client = self._client(scope, self._keys)
            if client is None:
                message = "send a valid API key as `Authorization: Bearer KEY`"
                return error_response(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
        length = _header(scope, b"content-length")
        if length.isdecimal() and int(length) > self._max_body:
            return self._too_large()
        # Without keys all clients share one rate: behind a proxy an address is the proxy's, or what a client claims.
        if self._rate is not None and (wait_s := self._rate.wait_s(client or _ANONYMOUS)):
            message = f"more than {self._rate.per_minute} requests a minute"
            return error_response(429, "rate_limited", message, retry_after_s=wait_s)
        has_body = length not in ("", "0") or bool(_header(scope, b"transfer-encoding"))
        try:
            self._shares.enter(client)
            try:
                body = await self._bodies.read(receive) if has_body else b""
                if body is not None:  # None: the client has left
                    await self._process(scope, _replayed(body, receive) if has_body else receive, send, body)
            finally:
                self._shares.leave(client)
            return None
        except BusyError as error:
            return error_response(429, "busy", str(error), retry_after_s=1, headers=_CLOSE if has_body else None)
        except TooLargeError:
            return self._too_large()
        except SlowBodyError:
            message = f"the body did not arrive within {self._body_timeout_s:g} s"
            return error_response(408, "slow_body", message, headers=_CLOSE)

    async def _process(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        """Wait for a slot, let the application answer, and release the body."""
        try:
            async with self._slots:
                await self._app(scope, receive, send)
        finally:
            self._bodies.release(body)

    @staticmethod
    def _client(scope: Scope, keys: Keys) -> str | None:
        scheme, _, key = _header(scope, b"authorization").partition(" ")
        return keys.name_of(key.strip()) if scheme.lower() == "bearer" else None

    def _too_large(self) -> Answer:
        message = f"a body may have at most {self._max_body} bytes; request fewer symbols or send fewer bars"
        return error_response(413, "too_large", message, headers=_CLOSE)


def _misdirected(host: str) -> Answer:
    message = (
        f"this server has no name {host[:80]!r}; without API keys it answers to localhost and to the names in the "
        "setting serve.hosts"
    )
    return error_response(421, "unknown_host", message)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that begins with a body that was received before."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [str(value.decode("latin-1")) for name, value in scope["headers"] if name == wanted]


def _header(scope: Scope, wanted: bytes) -> str:
    return next((str(value.decode("latin-1")) for name, value in scope["headers"] if name == wanted), "")


def _route(scope: Scope) -> str:
    """Return the route without the symbols in it: a metric must not have a series per symbol."""
    return str(getattr(scope.get("route"), "path", _path(scope) if _path(scope) == "/v1/predictions" else "other"))


def _path(scope: Scope) -> str:
    """Return the path below the prefix that the application is mounted at."""
    return str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
