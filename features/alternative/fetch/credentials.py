"""Keys and contacts that sources ask for: read from the environment, and sent where no log line contains them.

HTTP clients log URLs, and some sources take keys as a parameter of the URL. So keys are added below the client.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from configs.errors import ConfigError, shown
from configs.outgoing import certificates


@dataclass(frozen=True, slots=True)
class Credential:
    """A key or a contact: its environment variable, the parameter or header that it is sent as, and how to get one.

    ``form`` is the text that is sent, with ``{}`` for the value; ``needed`` a text that the value must contain.
    """

    variable: str
    sent_in: Literal["query", "header"]
    name: str
    remedy: str
    form: str = "{}"
    needed: str = ""

    def value(self, source: str) -> str:
        """Return the value in the environment; ``ConfigError`` without one that can be sent."""
        value = os.environ.get(self.variable, "").strip()
        if not value or not value.isascii() or not value.isprintable() or self.needed not in value:
            what = "is not set" if not value else "cannot be used as it is"
            raise ConfigError(f"source {source!r} needs {self.variable}, which {what}. {self.remedy}")
        return value


class CredentialTransport(httpx2.HTTPTransport):
    """Adds credentials to requests below the client."""

    def __init__(self, sent: Mapping[Credential, str], proxy: str | None) -> None:
        super().__init__(verify=certificates(), proxy=proxy)
        texts = {one: one.form.replace("{}", value) for one, value in sent.items()}
        self._query = {one.name: text for one, text in texts.items() if one.sent_in == "query"}
        self._headers = {one.name: text for one, text in texts.items() if one.sent_in == "header"}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request with the credentials."""
        headers = request.headers.copy()
        headers.update(self._headers)
        return super().handle_request(
            httpx2.Request(
                request.method,
                request.url.copy_merge_params(self._query) if self._query else request.url,
                headers=headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )


def check_address(url: str, has_credentials: bool) -> None:
    """Raise ``ConfigError`` for an unusable address: keys go unencrypted to this machine only."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        valid = valid and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"--base-url is {shown(url)}; expected such as http://127.0.0.1:8080, without a password.")
    if has_credentials and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ConfigError(f"--base-url is {shown(url)}, which would send keys unencrypted. Give an https:// address.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
