"""Objects in a bucket (S3, GCS): whole or not at all by themselves, changed by conditional writes only.

Credentials, region and endpoint are the environment's (``AWS_*``, ``GOOGLE_*``) or the machine's role. Where two write
at once, the store itself decides who was first: what is there is replaced only if it is still what was read.
"""

from __future__ import annotations

import io
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from typing import Any

import pyarrow as pa
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import MemoryStore, from_url
from pyarrow import fs as pafs

from configs.errors import StoreError
from features.store.entries import Entry
from features.store.lease import held

_TRIES = 50
_READ_AHEAD = 2**20
_PATIENCE = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_CLIENT: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
_PROMPT = {"max_retries": 2, "retry_timeout": timedelta(seconds=4)}  # a lease's beat that comes late is none
_PROMPT_CLIENT: dict[str, Any] = {"connect_timeout": "2s", "timeout": "4s"}
_ASKED_FOR_ROLE = "/latest/api/token"  # where AWS gives machines a role: nothing else was found to sign with
_NO_BUCKET = "NoSuchBucket"
_UNUSUAL = re.compile(r"[?#%*\\]|(^|/)\.{1,2}(/|$)|//")  # what one library takes literally and another does not


class ObjectFiles:
    """The objects below a prefix; paths are relative to it and have been checked.

    Parameters
    ----------
    uri
        ``s3://bucket/prefix`` or ``gs://bucket/prefix``; ``memory://`` for one that ends with the process.
    prompt
        Whether to give up on a request after seconds, where others wait for minutes.

    Raises
    ------
    StoreError
        The scheme is unknown, or credentials stand in the URI.
    """

    is_local = False

    def __init__(self, uri: str, *, prompt: bool = False) -> None:
        scheme, _, rest = uri.partition("://")
        if scheme not in ("s3", "gs", "memory") or _UNUSUAL.search(rest) or "@" in rest.partition("/")[0]:
            raise StoreError(
                f"store {redacted(uri)!r} cannot be opened: give a local path, "
                "s3://bucket/folder or gs://bucket/folder, and credentials, region and endpoint in the environment "
                "(AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL …)."
            )
        self.root = uri.rstrip("/")
        with self._explained("open", ""):
            self._objects: Any = (
                MemoryStore() if scheme == "memory" else from_url(self.root, **_options(scheme, prompt))
            )

    def write(self, path: str, data: bytes) -> None:
        """Put an object."""
        with self._explained("write", path):
            self._objects.put(path, data)

    def create(self, path: str, data: bytes) -> bool:
        """Put an object where there is none."""
        return self._put_over(path, data, None)

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write again if nobody wrote in between, else begin anew."""
        for attempt in range(_TRIES):
            held, tag = self._tagged(path)
            data = change(held)
            if data is None:
                return False
            if self._put_over(path, data, tag):
                return True
            time.sleep(random.uniform(0, min(0.05 * 2**attempt, 1.0)))
        raise StoreError(f"{self._at(path)!r} is changed by others all the time. Try again later.")

    def read(self, path: str) -> bytes:
        """Return an object's bytes."""
        with self._explained("read", path):
            return bytes(self._objects.get(path).bytes())

    @contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """Yield an object to read parts of, all of them as it was when it was opened."""
        parts = _Ranges(self._objects, path, self._at(path), lambda: self._explained("read", path))
        with pa.PythonFile(io.BufferedReader(parts, _READ_AHEAD), mode="r") as file:
            yield file

    def copy(self, source: str, target: str) -> None:
        """Copy an object, inside the store."""
        with self._explained("copy", source):
            self._objects.copy(source, target)

    def exists(self, path: str) -> bool:
        """Whether an object of that name exists."""
        try:
            with self._explained("read", path):
                self._objects.head(path)
        except FileNotFoundError:
            return False
        return True

    def entries(self, path: str) -> list[Entry]:
        """Return what lies directly below a prefix, or the object itself."""
        with self._explained("list", path):
            found = self._objects.list_with_delimiter(f"{path}/" if path else None)
        skip = len(path) + 1 if path else 0
        entries = [_entry(one, skip) for one in found["objects"]]
        entries += [Entry(one[skip:].rstrip("/"), None, 0) for one in found["common_prefixes"]]
        return entries or (self._alone(path, path.rpartition("/")[2]) if path else [])

    def below(self, path: str) -> list[Entry]:
        """Return every object below a prefix, or the object itself."""
        found = []
        with self._explained("list", path):
            for chunk in self._objects.list(f"{path}/"):
                found += [_entry(one, len(path) + 1) for one in chunk]
        return found or self._alone(path, "")

    def delete(self, path: str) -> int:
        """Delete an object or all below a prefix, and return their bytes."""
        found = self.below(path)
        with self._explained("delete", path):
            names = [f"{path}/{one.name}".rstrip("/") for one in found]
            try:
                self._objects.delete(names)
            except FileNotFoundError:  # another deleted one first, which GCS tells and S3 does not
                for name in names:
                    with suppress(FileNotFoundError):
                        self._objects.delete(name)
        return sum(one.size or 0 for one in found)

    def lock(self, name: str, *, wait: bool = True) -> AbstractContextManager[None]:
        """Hold a lease: an object that its holder renews, and that others take over once it is not renewed."""
        prompt = self if self.root.startswith("memory:") else ObjectFiles(self.root, prompt=True)
        return held(prompt, f".locks/{name}", wait=wait)

    def arrow(self) -> tuple[pafs.FileSystem, str]:
        """Return a pyarrow file system of the bucket, and the root's path in it."""
        from obstore.fsspec import FsspecStore

        scheme, _, place = self.root.partition("://")
        files: Any = FsspecStore(scheme, **_options(scheme))  # type: ignore[call-overload]
        return pafs.PyFileSystem(pafs.FSSpecHandler(files)), place

    def _tagged(self, path: str) -> tuple[bytes | None, dict[str, str] | None]:
        """Return an object's bytes and what tells this state of it from others; None for both where there is none."""
        try:
            with self._explained("read", path):
                found = self._objects.get(path)
                tag = {key: found.meta[key] for key in ("e_tag", "version") if found.meta[key] is not None}
                return bytes(found.bytes()), tag
        except FileNotFoundError:
            return None, None

    def _put_over(self, path: str, data: bytes, tag: dict[str, str] | None) -> bool:
        """Put an object if there is none, or over the state with this tag; return whether that was so."""
        try:
            with self._explained("write", path):
                self._objects.put(path, data, mode="create" if tag is None else tag)
        except (AlreadyExistsError, PreconditionError):
            return False
        except FileNotFoundError:  # it was deleted meanwhile
            return False
        return True

    def _alone(self, path: str, name: str) -> list[Entry]:
        try:
            with self._explained("read", path):
                return [_entry(self._objects.head(path), 0)._replace(name=name)]
        except FileNotFoundError:
            return []

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}".rstrip("/")

    @contextmanager
    def _explained(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, OSError, ValueError) as error:
            if _NO_BUCKET in str(error):
                raise StoreError(
                    f"cannot {verb} {self._at(path)!r}: the bucket does not exist. Make it, or correct --store."
                ) from error
            if isinstance(error, FileNotFoundError):
                raise FileNotFoundError(f"there is no {self._at(path)!r}") from error
            refused = isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _ASKED_FOR_ROLE in str(error)
            hint = "credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role)"
            hint = hint if refused else "address, region and endpoint (AWS_REGION, AWS_ENDPOINT_URL)"
            raise StoreError(f"cannot {verb} {self._at(path)!r}: {_reason(error)}. Check the {hint}.") from error


def redacted(uri: str) -> str:
    """Return a URI without what may be a secret in it."""
    scheme, separator, rest = uri.partition("://")
    bucket, slash, path = rest.partition("/")
    return f"{scheme}{separator}{bucket.rpartition('@')[2].partition('?')[0]}{slash}{path.partition('?')[0]}"


class _Ranges(io.RawIOBase):
    """One state of an object as a file: each part is asked for with the condition that it is still that state."""

    def __init__(
        self, objects: Any, path: str, uri: str, explained: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._objects, self._path, self._uri, self._explained = objects, path, uri, explained
        with explained():
            self._meta = objects.head(path)
        self._at = 0

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._meta["size"])
        if self._at >= end:
            return 0
        wanted = {"range": (self._at, end)} | ({"if_match": tag} if (tag := self._meta["e_tag"]) else {})
        try:
            with self._explained():
                data = self._objects.get(self._path, options=wanted).bytes()
        except PreconditionError as error:
            raise StoreError(f"{self._uri!r} was replaced while it was read. Run the same command again.") from error
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._meta["size"]}[whence]
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _options(scheme: str, prompt: bool = False) -> dict[str, Any]:
    """Return how to reach a store: an endpoint that the user spelled with ``http://`` is meant so."""
    plain = scheme == "s3" and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    client, patience = (_PROMPT_CLIENT, _PROMPT) if prompt else (_CLIENT, _PATIENCE)
    return {"client_options": client | ({"allow_http": True} if plain else {}), "retry_config": patience}


def _entry(meta: Any, skip: int) -> Entry:
    changed_ns = int(meta["last_modified"].timestamp() * 1e9)  # whole seconds: the tag tells changes within one
    return Entry(meta["path"][skip:], meta["size"], changed_ns, tag=meta["e_tag"] or "")


def _reason(error: Exception) -> str:
    """Return what the store said, in one line, without the client's own account of it."""
    text = str(error)
    said = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
    line = said[1] if said else text.strip().splitlines()[0] if text.strip() else type(error).__name__
    return " ".join(line.split())[:200].rstrip(".")
