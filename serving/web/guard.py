"""The guard before every route: who asks, how often, and for how long an answer may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.web.errors import problem
from serving.web.keys import Keys
from serving.web.limits import RateLimit

_GUARDED = "/v1/"
_OPEN = frozenset({"/v1/health/live", "/v1/health/ready"})

Note = Callable[[str, int, float], None]


class Guard:
    """ASGI middleware: ``/v1/`` needs a key if there are keys, counts against a rate, and ends in time.

    The page, the documentation and the health probes are open: they hold no forecast.

    Parameters
    ----------
    app
        What it guards.
    keys
        Who may ask (``Authorization: Bearer KEY``); everybody if None.
    rate
        How often a key, or without keys a client's address, may ask; as often as it likes if None.
    timeout_s
        Seconds after which a request that has no answer gets 503.
    note
        Told of each request's route, status and seconds.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys | None, rate: RateLimit | None, timeout_s: float, note: Note | None = None
    ) -> None:
        self._app, self._keys, self._rate, self._timeout_s, self._note = app, keys, rate, timeout_s, note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED) or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, sending)
        else:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._app(scope, receive, sending)
            except TimeoutError:
                if not status:
                    late = problem(503, "timeout", f"no answer within {self._timeout_s:g} s", retry_after_s=1)
                    await late(scope, receive, sending)
        if self._note is not None:
            self._note(_route(scope), status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        client = scope["client"][0] if scope.get("client") else "unknown"
        if self._keys is not None:
            name = self._keys.name_of(_bearer(scope))
            if name is None:
                told = "send a valid API key as `Authorization: Bearer KEY`"
                return problem(401, "unauthorized", told, headers={"WWW-Authenticate": "Bearer"})
            client = name
        wait = self._rate.wait_s(client) if self._rate is not None else 0.0
        if wait:
            assert self._rate is not None
            told = f"more than {self._rate.per_minute} requests a minute"
            return problem(429, "rate_limited", told, retry_after_s=wait)
        return None


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, key = value.decode("latin-1").partition(" ")
            return str(key.strip()) if kind.lower() == "bearer" else ""
    return ""


def _route(scope: Scope) -> str:
    """Return the route that answered, without the symbols in it: a metric must not have a series for each."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))
