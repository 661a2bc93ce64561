"""Files that contain their own SHA-256, so that a flipped bit or an edit by hand is an error and never an answer.

A JSON file ends with the digest as its last key. A Parquet file has two between its pages and its footer, where the
format allows other bytes: one of the pages, and one of the footer and the first. So what a footer says can be checked
without reading the pages. Other programs read both as usual. Files without a digest, of earlier versions, are accepted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from configs.safe_json import parse_json

_KEY = "sha256_of_the_above"
_JSON_SEAL = re.compile(rb',?\n "%s": "([0-9a-f]{64})"\n\}\Z' % _KEY.encode())
_JSON_SEAL_SIZE = 128  # at most

_MARK = b"fleetcast sha256"
_DIGEST_SIZE = 32
_SEAL_SIZE = len(_MARK) + 2 * _DIGEST_SIZE
_END_SIZE = 8  # the footer's length, and "PAR1"
_USUAL_TAIL = 2**16

_DIFFERS = "its content differs from its SHA-256"


def seal_json(value: Mapping[str, Any]) -> bytes:
    """Return a value as sorted JSON that ends with its own digest; equal values give equal bytes.

    Raises
    ------
    ValueError
        The value contains NaN or infinity.
    """
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode()
    above = text.removesuffix(b"}").removesuffix(b"\n")
    seal = f'{"," if value else ""}\n "{_KEY}": "{hashlib.sha256(above).hexdigest()}"\n}}'
    return above + seal.encode()


def parse_sealed(data: bytes) -> tuple[Any, bool]:
    """Return the value of a JSON file without its digest, and whether it had one.

    Raises
    ------
    ValueError
        It is no JSON, or the digest is that of another content.
    """
    try:
        value = parse_json(data)
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    if not isinstance(value, dict) or _KEY not in value:
        return value, False
    del value[_KEY]
    found = _JSON_SEAL.search(data, max(len(data) - _JSON_SEAL_SIZE, 0))
    if found is None or hashlib.sha256(memoryview(data)[: found.start()]).hexdigest() != found[1].decode():
        raise ValueError(_DIFFERS)
    return value, True


def seal_parquet(data: bytes) -> bytes:
    """Return a Parquet file with its digests."""
    start = len(data) - _tail_size(data)
    pages, tail = data[:start], data[start:]
    of_pages = hashlib.sha256(pages).digest()
    return pages + _MARK + of_pages + hashlib.sha256(of_pages + tail).digest() + tail


def check_parquet(data: bytes) -> None:
    """Check a whole Parquet file; ``ValueError`` if its digests are those of another content."""
    start = len(data) - _tail_size(data)
    of_pages = _checked_tail(data, start)
    pages = memoryview(data)[: start - _SEAL_SIZE]
    if of_pages is not None and hashlib.sha256(pages).digest() != of_pages:
        raise ValueError(_DIFFERS)


def checked_footer(size: int, read_at: Callable[[int, int], bytes]) -> bytes:
    """Return the end of a Parquet file of this size, which contains its footer, after checking that.

    ``read_at(count, offset)`` returns bytes of the file; ``ValueError`` if the footer is not the one that was written.
    """
    count = min(size, _USUAL_TAIL)
    data = read_at(count, size - count)
    if (wanted := min(size, _tail_size(data) + _SEAL_SIZE)) > count:
        data = read_at(wanted, size - wanted)
    _checked_tail(data, len(data) - _tail_size(data))
    return data


def _tail_size(data: bytes) -> int:
    """Return the bytes of a Parquet file's footer, the footer's length and the closing magic number."""
    return int.from_bytes(data[-_END_SIZE:-4], "little") + _END_SIZE


def _checked_tail(data: bytes, start: int) -> bytes | None:
    """Return the digest of the pages, after checking the tail that starts there; None if there are no digests."""
    seal = data[max(start - _SEAL_SIZE, 0) : max(start, 0)]
    if not seal.startswith(_MARK):
        if _MARK in data:  # the footer's length is not the one that was written
            raise ValueError(_DIFFERS)
        return None
    of_pages, of_tail = seal[len(_MARK) : -_DIGEST_SIZE], seal[-_DIGEST_SIZE:]
    if hashlib.sha256(of_pages + memoryview(data)[start:]).digest() != of_tail:
        raise ValueError(_DIFFERS)
    return of_pages
