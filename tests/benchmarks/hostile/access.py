"""Keys that are not valid, or no more, and names that belong to another site."""

from __future__ import annotations

import os
import time

from hostile.attack import Attack, Context
from hostile.others import BODY, PREDICT, key_header
from raw_http import ask

from serving.web.keys import add_key

_PATHS = (
    *(PREDICT + "/S0000", "/v1/symbols", "/v1/models", "/v1/stats", "/v1/history/S0000", "/v1/../v1/symbols"),
    *("/v1/bot", "/v1/monitoring", "/v1/reports", "/reports/latest", "/reports/../v1/bot"),
)
_FOREIGN = (
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
)


def invalid_keys(context: Context) -> None:
    """Send every form of a wrong key."""
    if context.key is None:
        return
    key = context.key
    forms = [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {key}",
        key,
        f"Bearer {key[:-1]}",
        f"Bearer {key}x",
        f"Bearer {key.lower()}",
    ]
    forms += [f"Bearer {key} {key}", "Bearer \xff\xfe", "Bearer " + "a" * 8_000, f"Bearer {key}\x00"]
    for form in forms:
        for path in _PATHS:
            status, _ = ask(context.server, path, f"Authorization: {form}")
            assert status in (400, 401, 404), f"{status} for {path} with {form[:40]!r}"


def foreign_hosts(context: Context) -> None:
    """Name another site, as a browser does after DNS rebinding."""
    for host in _FOREIGN:
        for path in ("/", "/docs", "/openapi.json", "/v1/health/live", *_PATHS):
            status, _ = ask(context.server, path, f"Host: {host}")
            open_paths = ("/", "/docs", "/openapi.json", "/v1/health/live")
            allowed = (400, 404, 421) if context.key is None else (400, 401, 404, *([200] * (path in open_paths)))
            assert status in allowed, f"{status} for {path} of {host!r}"


def revoked_key(context: Context) -> None:
    """Use a key after its line was deleted and the file's modification time restored."""
    if context.key_file is None:
        return
    before = context.key_file.read_text()
    key = add_key(context.key_file, f"revoked-{context.turn}-{time.monotonic_ns()}")

    def status() -> int:
        return ask(context.server, PREDICT, *key_header(key), method="POST", body=BODY)[0]

    def becomes(wanted: int) -> None:
        deadline = time.monotonic() + 5.0
        while (found := status()) != wanted:
            assert time.monotonic() < deadline, f"{found} 5 s after the file has changed; expected {wanted}"
            time.sleep(0.2)

    becomes(200)
    times = context.key_file.stat()
    context.key_file.write_text(before)
    os.utime(context.key_file, ns=(times.st_atime_ns, times.st_mtime_ns))
    becomes(401)


ATTACKS = [
    Attack("keys that are not valid: 401", invalid_keys, True),
    Attack("names of another site: 421 without keys, 401 with", foreign_hosts, True),
    Attack("a key revoked in a file that keeps its time: 401 in 5 s", revoked_key, True),
]
