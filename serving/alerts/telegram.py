"""Telegram: one POST a message to the Bot API, and what its answers mean.

The token is part of the path of a request, and HTTP clients log URLs. It is added below the client, so that neither log
lines nor errors of the client contain it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

import httpx2
from pydantic import SecretStr

from configs.alerts import Severity, TelegramConfig
from configs.outgoing import certificates, proxy_of
from configs.safe_json import parse_json
from serving.alerts.channel import Limits, Message, Receipt, secret_text
from serving.alerts.events import AlertError, one_line

MAX_TEXT = 4096
_A_CHAT = ((1, 1.0),)
_A_GROUP = ((1, 1.0), (20, 60.0))
_MAX_ANSWER = 65_536
_DEFAULT_RETRY_S = 5.0
_MAX_RETRY_S = 86_400.0
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
_NOTHING_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


class Telegram:
    """Sends messages to one chat.

    Parameters
    ----------
    settings
        The chat, and where the token is read from.
    clock
        Seconds of a monotonic clock.

    Raises
    ------
    AlertError
        There is no chat or no token, or the token does not have the form of one.
    """

    name = "telegram"

    def __init__(self, settings: TelegramConfig, clock: Callable[[], float] = time.monotonic) -> None:
        if settings.chat is None:
            raise AlertError("alerts.telegram.chat is null. Set it to the number of a chat, or to @channel.")
        variable = settings.token_variable
        token = secret_text(variable, settings.token_file, "Telegram's token", "alerts.telegram.token_file")
        if not _TOKEN.fullmatch(token):
            where = settings.token_file or variable
            raise AlertError(
                f"{where!r} has no token of Telegram. One looks like 123456789:AAF…, as BotFather gives it."
            )
        self._token = SecretStr(token)
        self._settings, self._clock = settings, clock
        self.minimum: Severity = settings.minimum
        is_group = settings.chat.startswith(("-", "@"))
        self.limits = Limits(MAX_TEXT, _A_GROUP if is_group else _A_CHAT)

    def send(self, message: Message) -> Receipt:
        """Make one attempt."""
        body = {
            "chat_id": self._settings.chat,
            "text": message.text,
            "disable_notification": message.silent,
            "link_preview_options": {"is_disabled": True},
        }
        try:
            status, headers, content = self._post(body)
        except (*_NOTHING_SENT, ImportError) as error:  # a SOCKS proxy needs a package
            return Receipt("waiting", self._redacted(f"Telegram cannot be reached: {error}"))
        except (httpx2.TransportError, httpx2.DecodingError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            return Receipt("unknown", self._redacted(f"the answer to the message was not received: {reason}"))
        return self._judged(status, headers, content)

    def _post(self, body: dict[str, Any]) -> tuple[int, httpx2.Headers, bytes]:
        timeout_s = self._settings.timeout_s
        end = self._clock() + timeout_s
        transport = _TokenTransport(self._token, proxy=proxy_of(self._settings.base_url))
        with (
            httpx2.Client(transport=transport, timeout=timeout_s) as client,
            client.stream("POST", f"{self._settings.base_url}/sendMessage", json=body) as response,
        ):
            content = b""
            for part in response.iter_bytes():
                content += part
                if len(content) > _MAX_ANSWER or self._clock() > end:
                    raise TimeoutError(f"it was not complete after {len(content):,} bytes and {timeout_s:g} s")
            return response.status_code, response.headers, content

    def _judged(self, status: int, headers: httpx2.Headers, content: bytes) -> Receipt:
        try:
            answer = parse_json(content)
        except ValueError:
            answer = None
        found = _mapping(answer)
        parameters = _mapping(found.get("parameters"))
        why = self._redacted(str(found.get("description") or f"HTTP status {status}"))
        if 200 <= status < 300 and found.get("ok") is True:
            return Receipt("sent")
        if 200 <= status < 300 and found.get("ok") is not False:
            return Receipt("unknown", f"the answer with status {status} is not that of Telegram")
        if status == 429:
            wait_s = _seconds(parameters.get("retry_after"), headers.get("Retry-After"))
            return Receipt("waiting", f"Telegram wants no message for {wait_s:g} s", wait_s)
        if status == 504:
            return Receipt("unknown", f"a gateway received no answer: {why}")
        if status in (401, 404):
            place = self._settings.token_file or self._settings.token_variable
            return Receipt("waiting", f"Telegram refuses the token ({why}). Correct it in {place}.")
        if "migrate_to_chat_id" in parameters:
            group = self._redacted(str(parameters["migrate_to_chat_id"]))
            return Receipt("waiting", f"the group has become {group}. Set alerts.telegram.chat to it.")
        if status == 403 or (status == 400 and "chat" in why.lower()):
            chat = self._settings.chat
            return Receipt("waiting", f"Telegram cannot write to chat {chat} ({why}). Check alerts.telegram.chat.")
        if status in (400, 413):
            return Receipt("failed", f"Telegram refuses the message: {why}")
        return Receipt("waiting", f"Telegram answers {status}: {why}")

    def _redacted(self, text: str) -> str:
        return one_line(text.replace(self._token.get_secret_value(), "…"), 300)


class _TokenTransport(httpx2.HTTPTransport):
    """Adds the token to the path of a request; connections are not kept, as a stale one loses a message."""

    def __init__(self, token: SecretStr, proxy: str | None) -> None:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
        super().__init__(verify=certificates(), proxy=proxy, limits=limits)
        self._token = token

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        folder, _, method = request.url.path.rpartition("/")
        path = f"{folder}/bot{self._token.get_secret_value()}/{method}"
        return super().handle_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(path=path),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(*given: Any) -> float:
    """Return the first that is a number of seconds, at most a day; 5 if none is."""
    for one in given:
        try:
            value = float(one)
        except (TypeError, ValueError):
            continue
        if math.isfinite(value) and value >= 0:
            return min(value, _MAX_RETRY_S)
    return _DEFAULT_RETRY_S
