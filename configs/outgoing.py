"""What clients of other servers have in common: trusted certificates, and the proxy that the environment names."""

from __future__ import annotations

import ssl
from functools import cache
from urllib.request import getproxies, proxy_bypass

import httpx2


@cache
def certificates() -> ssl.SSLContext:
    """Return the trusted certificates, which take a tenth of a second to read."""
    return httpx2.create_ssl_context()


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; a client with its own transport reads none."""
    parts = httpx2.URL(url)
    return None if proxy_bypass(parts.host) else getproxies().get(parts.scheme)
