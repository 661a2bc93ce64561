"""The guard before every route: who asks, how often, how much they send, and for how long an answer may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.web.errors import problem
from serving.web.keys import Keys
from serving.web.limits import RateLimit

_GUARDED = "/v1/"
_OPEN = frozenset({"/v1/health/live", "/v1/health/ready"})
_EVERYBODY = "everybody"
_GONE = 499  # the client went away before there was an answer

Note = Callable[[str, int, float], None]


class Guard:
    """ASGI middleware: ``/v1/`` needs a key if there are keys, a rate and a size are kept, and answers come in time.

    The page, the documentation and the health probes are open: they hold no forecast.

    Parameters
    ----------
    app
        What it guards.
    keys
        Who may ask (``Authorization: Bearer KEY``); everybody if None.
    rate
        How often each key, or without keys everybody together, may ask; as often as they like if None.
    max_body
        Bytes that a body may have; more is 413, whatever its headers say.
    timeout_s
        Seconds after which a request that has no answer gets 503.
    note
        Told of each request's route, status and seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        rate: RateLimit | None,
        max_body: int,
        timeout_s: float,
        note: Note | None = None,
    ) -> None:
        self._app, self._keys, self._rate, self._note = app, keys, rate, note
        self._max_body, self._timeout_s = max_body, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = _path(scope)
        if scope["type"] != "http" or not path.startswith(_GUARDED) or path in _OPEN:
            await self._app(scope, receive, send)
            return
        start, status, received = time.perf_counter(), 0, 0

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise HTTPException(413, self._too_large)
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if (refusal := self._refusal(scope)) is not None:
                await refusal(scope, receive, sending)
                return
            async with asyncio.timeout(self._timeout_s):
                await self._app(scope, receiving, sending)
        except TimeoutError:
            if not status:
                late = problem(503, "timeout", f"no answer within {self._timeout_s:g} s", retry_after_s=1)
                await late(scope, receive, sending)
        except Exception:
            status = status or 500
            raise
        finally:
            if self._note is not None:
                self._note(_route(scope), status or _GONE, time.perf_counter() - start)

    @property
    def _too_large(self) -> str:
        return f"a body may have at most {self._max_body} bytes; ask for fewer symbols or send fewer bars"

    def _refusal(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        client = _EVERYBODY  # behind a proxy an address is the proxy's, or what the client claims
        if self._keys is not None:
            scheme, _, key = _header(scope, b"authorization").partition(" ")
            name = self._keys.name_of(key.strip()) if scheme.lower() == "bearer" else None
            if name is None:
                told = "send a valid API key as `Authorization: Bearer KEY`"
                return problem(401, "unauthorized", told, headers={"WWW-Authenticate": "Bearer"})
            client = name
        length = _header(scope, b"content-length")
        if length.isdecimal() and int(length) > self._max_body:
            return problem(413, "too_large", self._too_large)
        wait = self._rate.wait_s(client) if self._rate is not None else 0.0
        if wait:
            assert self._rate is not None
            told = f"more than {self._rate.per_minute} requests a minute"
            return problem(429, "rate_limited", told, retry_after_s=wait)
        return None


def _header(scope: Scope, wanted: bytes) -> str:
    return next((str(value.decode("latin-1")) for name, value in scope["headers"] if name == wanted), "")


def _route(scope: Scope) -> str:
    """Return the route that answered, without the symbols in it: a metric must not have a series for each."""
    return str(getattr(scope.get("route"), "path", _path(scope) if _path(scope) == "/v1/predictions" else "other"))


def _path(scope: Scope) -> str:
    """Return the path below the prefix that the application is mounted at."""
    return str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
