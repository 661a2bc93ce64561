"""Connecting to a bucket (S3, GCS): client settings, URIs without secrets, and the client's errors as ours."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import MemoryStore, from_url

from configs.errors import StoreError

T = TypeVar("T")

_RETRIES = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_TIMEOUTS: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
_FAST_RETRIES = {"max_retries": 2, "retry_timeout": timedelta(seconds=4)}
_FAST_TIMEOUTS: dict[str, Any] = {"connect_timeout": "2s", "timeout": "4s"}
_CUT_OFF, _PAUSES_S = "response body error", (0.1, 0.2, 0.4, 0.8, 1.6)
_ROLE_ENDPOINT = "/latest/api/token"  # AWS's address of a machine's role: asked last, when no other credentials exist
_AMBIGUOUS = re.compile(r"[?#%*\\]|(^|/)\.{1,2}(/|$)|//")  # libraries disagree on whether these are literal


def connect(uri: str, *, fail_fast: bool = False) -> Any:
    """Return obstore's client of the objects below ``uri``; with ``fail_fast`` requests fail after seconds.

    Raises
    ------
    StoreError
        The scheme is unknown, or the URI contains credentials, a query or an ambiguous path.
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in ("s3", "gs", "memory") or _AMBIGUOUS.search(rest) or "@" in rest.partition("/")[0]:
        raise StoreError(
            f"store {redacted(uri)!r} cannot be opened: give a local path, "
            "s3://bucket/folder or gs://bucket/folder, and credentials, region and endpoint in the environment "
            "(AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL …)."
        )
    with explained("open", uri):
        return (
            MemoryStore()
            if scheme == "memory"
            else from_url(uri.rstrip("/"), **client_options(scheme, fail_fast=fail_fast))
        )


def client_options(scheme: str, *, fail_fast: bool = False) -> dict[str, Any]:
    """Return the client's timeouts and retries; HTTP without TLS is allowed if ``AWS_ENDPOINT_URL`` says ``http://``."""
    plain = scheme == "s3" and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    timeouts, retries = (_FAST_TIMEOUTS, _FAST_RETRIES) if fail_fast else (_TIMEOUTS, _RETRIES)
    return {"client_options": timeouts | ({"allow_http": True} if plain else {}), "retry_config": retries}


@contextmanager
def explained(verb: str, uri: str) -> Iterator[None]:
    """Raise the client's errors as ``StoreError`` or ``FileNotFoundError``; failed write conditions pass unchanged."""
    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, OSError, ValueError) as error:
        if "NoSuchBucket" in str(error):
            raise StoreError(
                f"cannot {verb} {uri!r}: the bucket does not exist. Create it, or correct --store."
            ) from error
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"there is no {uri!r}") from error
        refused = isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _ROLE_ENDPOINT in str(error)
        hint = "address, region and endpoint (AWS_REGION, AWS_ENDPOINT_URL)"
        if refused:
            hint = "credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role)"
        raise StoreError(f"cannot {verb} {uri!r}: {_reason(error)}. Check the {hint}.") from error


def answered(verb: str, uri: str, call: Callable[[], T]) -> T:
    """Return ``call()``, repeated while its answer is cut off: the client repeats other failures, but not this one.

    The request may have arrived, so the call must be one that may be repeated.
    """
    for pause_s in _PAUSES_S:
        try:
            with explained(verb, uri):
                return call()
        except StoreError as error:
            if _CUT_OFF not in str(error.__cause__):
                raise
        time.sleep(pause_s)
    with explained(verb, uri):
        return call()


def redacted(uri: str) -> str:
    """Return a URI without user information and queries, which may contain secrets."""
    scheme, separator, rest = uri.partition("://")
    bucket, slash, path = rest.partition("/")
    return f"{scheme}{separator}{bucket.rpartition('@')[2].partition('?')[0]}{slash}{path.partition('?')[0]}"


def _reason(error: Exception) -> str:
    """Return the store's own message in one line, without the client's description of the request."""
    text = str(error)
    message = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
    line = message[1] if message else text.strip().splitlines()[0] if text.strip() else type(error).__name__
    return " ".join(line.split())[:200].rstrip(".")
