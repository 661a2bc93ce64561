"""JSON over HTTP: repeated requests with back-off, bounded answers, and keys that no message contains."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx2

from configs.errors import DataError, shown
from configs.outgoing import proxy_of
from configs.safe_json import parse_json
from features.alternative.fetch.credentials import Credential, CredentialTransport, check_address

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WAIT_S = 120.0
_MAX_BYTES = 64 << 20
_MESSAGES = ("error_message", "message", "reason", "Error Message", "error")

Params = Mapping[str, str | float]


class SourceError(DataError):
    """A source refused a request, or did not answer it.

    ``stops`` is whether other requests of the run would fail in the same way, ``is_answered`` whether the server
    answered at all.
    """

    def __init__(self, message: str, *, stops: bool = False, is_answered: bool = True) -> None:
        super().__init__(message)
        self.stops, self.is_answered = stops, is_answered


class Http:
    """Requests of one run to one source.

    Parameters
    ----------
    source
        Its name, for messages.
    base_url
        The server's address.
    credentials
        What is sent with every request.
    is_default
        Whether the address is the source's own: then requests may go to its other hosts.
    pause_s
        Least time between two requests.
    attempts
        Requests before a failure is reported.
    timeout_s
        Longest time without a byte; a whole answer may take four times as long.
    sleep
        Waits for a number of seconds.

    Raises
    ------
    ConfigError
        A credential is missing, or the address is unusable: keys go unencrypted to this machine only.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        credentials: Sequence[Credential] = (),
        *,
        is_default: bool = False,
        pause_s: float = 0.0,
        attempts: int = 5,
        timeout_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source, self.base_url, self.sleep = source, base_url.rstrip("/"), sleep
        self.attempts = attempts
        self._is_default, self._pause_s, self._timeout_s = is_default, pause_s, timeout_s
        self._sent = {one: one.value(source) for one in credentials}
        self._next = 0.0
        self._remembered: dict[str, Any] = {}
        check_address(self.base_url, bool(credentials))

    def get(self, path: str, params: Params | None = None, host: str = "") -> Any:
        """Return the JSON value at a path; ``host`` is another address of the source.

        Raises
        ------
        SourceError
            The source refuses the request, or does not answer in any attempt.
        """
        url = (host if host and self._is_default else self.base_url) + path
        for attempt in range(self.attempts):
            wait_s = backoff_s(attempt)
            try:
                status, headers, body = self._once(url, params or {})
                if 200 <= status < 300:
                    return parse_json(body)
                problem = self._problem(status, body)
                if status not in _RETRIED:
                    raise problem
                wait_s = _asked_s(headers.get("Retry-After"), wait_s)
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, ImportError) as error:
                problem = self._error(f"cannot be reached ({error}). Check the network", stops=True, is_answered=False)
            except (httpx2.TransportError, httpx2.DecodingError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
                problem = self._error(f"did not answer completely ({reason}). Try again later", is_answered=False)
            except ValueError as error:
                problem = self._error(f"sent no JSON ({error}). Try again later")
            if wait_s > _MAX_WAIT_S:
                raise self._error(f"accepts no request for {wait_s:,.0f} s. Try again after that", stops=True)
            if attempt + 1 < self.attempts:
                self.sleep(wait_s)
        raise problem

    def get_once(self, path: str, host: str = "") -> Any:
        """Return the JSON value at a path, which is requested once a run."""
        if path not in self._remembered:
            self._remembered[path] = self.get(path, host=host)
        return self._remembered[path]

    def redacted(self, text: str) -> str:
        """Return a text on one line without keys, at most 300 characters."""
        for value in self._sent.values():
            for form in (value, quote(value, safe="")):
                text = text.replace(form, "…")
        return " ".join(text.split())[:300]

    def close(self) -> None:
        """Close the connections."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:
        transport = CredentialTransport(self._sent, proxy_of(self.base_url or "https://localhost"))
        return httpx2.Client(transport=transport, timeout=self._timeout_s)

    def _once(self, url: str, params: Params) -> tuple[int, httpx2.Headers, bytes]:
        if (early := self._next - time.monotonic()) > 0:
            self.sleep(early)
        self._next = time.monotonic() + self._pause_s
        end = time.monotonic() + 4.0 * self._timeout_s
        with self._client.stream("GET", url, params=dict(params)) as response:
            parts, size = list[bytes](), 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > _MAX_BYTES:
                    raise self._error(f"answered more than {_MAX_BYTES >> 20} MiB. Choose a shorter period")
                if time.monotonic() > end:
                    raise TimeoutError(f"{size:,} bytes after {4.0 * self._timeout_s:g} s")
            return response.status_code, response.headers, b"".join(parts)

    def _problem(self, status: int, body: bytes) -> SourceError:
        said = _message(body)
        if status in (401, 403, 407) or (status == 400 and "api_key" in said.lower()):  # FRED's answer to a wrong key
            names = " and ".join(dict.fromkeys(one.variable for one in self._sent)) or "the address"
            return self._error(f"refuses the request (status {status}: {said}). Check {names}", stops=True)
        if status == 429:
            return self._error(f"accepts no more requests (status 429: {said}). Try again later", stops=True)
        if 300 <= status < 400:
            return self._error(f"redirects the request (status {status}). Check --base-url", stops=True)
        retry = "Try again later" if status in _RETRIED else "Check the name and the period"
        return self._error(f"answers with status {status}: {said}. {retry}", is_answered=status < 500)

    def _error(self, text: str, *, stops: bool = False, is_answered: bool = True) -> SourceError:
        return SourceError(f"{self.source} {self.redacted(text)}.", stops=stops, is_answered=is_answered)


def backoff_s(attempt: int) -> float:
    """Return a random delay in seconds after attempt 0, 1, 2 …: about 1, 2, 4, at most 60 (equal jitter)."""
    longest = min(2.0 ** (attempt + 1), 60.0)
    return random.uniform(0.5 * longest, longest)


def _asked_s(header: str | None, default: float) -> float:
    """Return the seconds of ``Retry-After``, which is a number or a date, plus jitter; else the default."""
    if header is None:
        return default
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return default
    return max(seconds, 0.0) + random.uniform(0.0, 0.5) if math.isfinite(seconds) else default


def _message(body: bytes) -> str:
    try:
        answer = parse_json(body)
    except ValueError:
        return shown(body[:200].decode(errors="replace"))
    found = answer if isinstance(answer, dict) else {}
    return next((str(found[name]) for name in _MESSAGES if isinstance(found.get(name), str)), "no reason given").rstrip(
        ". "
    )
