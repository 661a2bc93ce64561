"""Requests that are not what they should be: JSON, headers, request lines, other protocols."""

from __future__ import annotations

import json
import random
import socket
from contextlib import suppress

from hostile.attack import Attack, Context
from hostile.others import BODY, PREDICT, key_header
from raw_http import address_of, answer, ask

_DEEP = 100_000


def _bodies() -> dict[str, bytes]:
    row = b'["2024-01-02",1,1,1,1,1]'
    return {
        "nested lists": b"[" * _DEEP + b"]" * _DEEP,
        "nested objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
        "nested symbols": b'{"symbols":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        "nested bars": b'{"bars":{"A":' + b"[" * _DEEP + b"]" * _DEEP + b"}}",
        "unfinished nesting of the largest size": b"[" * 8_000_000,
        "200,000 fields": b"{" + b",".join(b'"%d":1' % i for i in range(200_000)) + b"}",
        "200,000 symbols with bars": b'{"bars":{' + b",".join(b'"A%d":[]' % i for i in range(200_000)) + b"}}",
        "a number of a million digits": b'{"symbols":[' + b"1" * 1_000_000 + b"]}",
        "an exponent": b'{"bars":{"A":[["2024-01-02",1e999999999,1,1,1,1]]}}',
        "numbers that are none": b'{"bars":{"A":[["2024-01-02",NaN,Infinity,-Infinity,1,1]]}}',
        "rows beyond the limit": b'{"bars":{"A":[' + b",".join([row] * 30_000) + b"]}}",
        "a date of a million characters": b'{"bars":{"A":[["' + b"2" * 1_000_000 + b'",1,1,1,1,1]]}}',
        "a symbol of a million characters": b'{"symbols":["' + b"A" * 1_000_000 + b'"]}',
        "repeated fields": b'{"symbols":["A"],"symbols":' + b"[" * 50 + b"]" * 50 + b"}",
        "lone surrogates": b'{"symbols":["\\ud800"]}',
        "control characters": b'{"symbols":["\\u0000","\\u001b[31m"]}',
        "a path as a symbol": b'{"symbols":["../../etc/passwd"]}',
        "bytes that are not text": bytes(range(256)) * 100,
        "a byte order mark": b"\xef\xbb\xbf" + BODY,
        "utf-16": BODY.decode().encode("utf-16"),
        "nothing": b" ",
        "null": b"null",
        "a pickle": b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94.",
    }


def bodies(context: Context) -> None:
    """Send hostile bodies."""
    for name, body in _bodies().items():
        headers = [*key_header(context.key), "Content-Type: application/json"]
        status, seconds = ask(context.server, PREDICT, *headers, method="POST", body=body)
        assert status in (200, 400, 413, 422), f"{status} for {name}"
        assert seconds < 5, f"{seconds:.1f} s for {name}"


def random_bodies(context: Context) -> None:
    """Send valid bodies with random changes."""
    rng = random.Random(context.turn)
    row = ["2024-01-02", 1.0, 2.0, 0.5, 1.5, 100.0]
    valid = json.dumps({"symbols": ["S0000", "X"], "types": ["volatility"], "bars": {"X": [row] * 5}}).encode()
    for _ in range(100):
        body = bytearray(valid)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(body))
            body[at : at + rng.randint(0, 4)] = rng.randbytes(rng.randint(0, 4)) if rng.random() < 0.5 else b'{[,"]}:1'
        status, _ = ask(context.server, PREDICT, *key_header(context.key), method="POST", body=bytes(body) or b" ")
        assert status in (200, 400, 413, 422), f"{status} for {bytes(body)!r}"


def headers(context: Context) -> None:
    """Send hostile headers, some of which Ray Serve interprets."""
    hostile = [
        "x-request-id: \xff\xfe",
        "serve_multiplexed_model_id: \xff",
        "x-session-id: \xff",
        "X-Request-ID: " + "a" * 9_000,
    ]
    hostile += [f"x-request-timeout-seconds: {value}" for value in ("0", "-1", "nan", "inf", "1e-9", "x")]
    hostile += ["x-request-disconnect-disabled: ?1", "Content-Encoding: gzip", "Accept: " + "a/b," * 1_500]
    hostile += ["Connection: Upgrade\r\nUpgrade: websocket", "Expect: 100-continue", "Expect: nothing"]
    hostile += [
        "X A: b",
        "X-A\x00: b",
        "X-A: b\x00",
        ": b",
        "X-A",
        "X-A: " + "a" * 100_000,
        "\r\n".join(["X-A: b"] * 5_000),
    ]
    for line in hostile:
        try:
            status, seconds = ask(context.server, PREDICT, *key_header(context.key), line, method="POST", body=BODY)
        except TimeoutError as error:
            raise AssertionError(f"no answer for {line[:60]!r}") from error
        assert status in (0, 200, 400, 408, 413, 417, 422, 426, 431), f"{status} for {line[:60]!r}"
        assert seconds < 12, f"{seconds:.1f} s for {line[:60]!r}"


def _texts(context: Context) -> dict[str, bytes]:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += "".join(f"{line}\r\n" for line in key_header(context.key))
    get = "HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    both = "Content-Length: 22\r\nTransfer-Encoding: chunked"
    sent = {
        "two lengths": f"{head}Content-Length: 5\r\nContent-Length: 22\r\n\r\n{BODY.decode()}",
        "a length and chunks": f"{head}{both}\r\n\r\n0\r\n\r\nGET /v1/symbols {get}",
        "a negative length": f"{head}Content-Length: -1\r\n\r\n",
        "a length of a hundred digits": f"{head}Content-Length: {'9' * 100}\r\n\r\n",
        "a length that is no number": f"{head}Content-Length: 0x10\r\n\r\n",
        "a chunk of an absurd size": f"{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "a chunk that is no number": f"{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "an unknown encoding": f"{head}Transfer-Encoding: gzip, chunked, x\r\n\r\n",
        "HTTP/0.9": "GET /\r\n\r\n",
        "HTTP/9.9": "GET / HTTP/9.9\r\n\r\n",
        "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "no host": "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "a method": f"{'A' * 50_000} / {get}",
        "a proxy's request": f"GET http://evil.example/v1/symbols {get}",
        "CONNECT": f"CONNECT evil.example:443 {get}",
        "a long path": f"GET /{'a' * 60_000} {get}",
        "a path above the root": f"GET /static/../../../../etc/passwd {get}",
        "an encoded path above the root": f"GET /static/..%2f..%2f..%2fetc%2fpasswd {get}",
        "a path with a null": f"GET /static/%00 {get}",
        "a path that is not text": f"GET /v1/predictions/%ff%fe {get}",
        "a line break in a path": f"GET /v1/predictions/a%0d%0aX-A:%20b {get}",
    }
    found = {name: text.encode("latin-1") for name, text in sent.items()}
    return {**found, "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(500), "zeros": bytes(1_000)}


def request_texts(context: Context) -> None:
    """Send texts that are not quite HTTP."""
    for name, text in _texts(context).items():
        with socket.create_connection(address_of(context.server), 10) as one:
            with suppress(OSError):  # the server may refuse it before it is complete
                one.sendall(text)
                one.shutdown(socket.SHUT_WR)
            status, body = answer(one)
        assert status < 500 or status == 501, f"{status} for {name}"
        assert not (status == 200 and body and "symbol" in json.dumps(body)[:200] and context.key), name


ATTACKS = [
    Attack("hostile bodies: 4xx in 5 s", bodies, True),
    Attack("bodies with random changes: 4xx", random_bodies, True),
    Attack("hostile headers: no 5xx", headers, True),
    Attack("texts that are not HTTP: no 5xx, nothing is disclosed", request_texts, True),
]
