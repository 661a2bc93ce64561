"""API keys: generated here, stored as hashes, compared in constant time.

A key file has one line per key, ``name:sha256:<hex>``. Keys are 256 random bits, so a plain hash cannot be reversed by
guessing; the key itself is shown once, when it is generated.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from configs.errors import ConfigError

_LINE = re.compile(r"([\w.@-]{1,64}):sha256:([0-9a-f]{64})")
_PREFIX = "fc_"


def make_key() -> str:
    """Return a new key."""
    return _PREFIX + secrets.token_urlsafe(32)


def key_line(name: str, key: str) -> str:
    """Return a key's line in a key file."""
    line = f"{name}:sha256:{_digest(key)}"
    if not _LINE.fullmatch(line):
        raise ConfigError(f"key name {name[:80]!r} is not usable; expected 1 to 64 letters, digits or any of . _ @ -")
    return line


def add_key(path: str | os.PathLike[str], name: str) -> str:
    """Generate a key, append its hash to a file that only its owner may read, and return the key.

    Raises
    ------
    ConfigError
        The name is not usable or taken, or the file cannot be read or written.
    """
    file, key = Path(path).expanduser(), make_key()
    line = key_line(name, key)
    if file.exists() and file.stat().st_size and name in Keys(file).names:
        raise ConfigError(f"{str(file)!r} already has a key named {name!r}. Delete its line, or choose another name.")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            before = file.read_bytes()
            stream.write(("\n" if before and not before.endswith(b"\n") else "") + line + "\n")
    except OSError as error:
        raise ConfigError(f"key file {str(file)!r} cannot be written: {error.strerror}.") from error
    return key


class Keys:
    """The keys of a file: deleting a line revokes its key when the file is next read.

    The text decides whether the file changed, because a copy or a restored backup may keep an old modification time.
    Deleting the last line or the file revokes all keys. A file with an invalid line leaves the keys as they are.

    Raises
    ------
    ConfigError
        The file cannot be read, has an invalid line, or has no key.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._text: str | None = None
        self._digests: dict[str, bytes] = {}
        self._read()
        if not self._digests:
            raise ConfigError(f"key file {str(self.path)!r} has no key. {self._remedy}")

    @property
    def names(self) -> list[str]:
        """The names of the keys."""
        return sorted(self._digests)

    def name_of(self, key: str) -> str | None:
        """Return a key's name, or None if it is not valid."""
        digest, found = _digest(key).encode(), None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def refresh(self) -> str:
        """Read the file again; return what is wrong with it, or an empty text."""
        if not self.path.exists():
            self._digests, self._text = {}, None
            return f"key file {str(self.path)!r} does not exist: no request is admitted"
        try:
            self._read()
        except ConfigError as error:
            return f"{error} The keys read before stay valid."
        return "" if self._digests else f"key file {str(self.path)!r} has no key: no request is admitted"

    @property
    def _remedy(self) -> str:
        return f"Make one with `fleetcast keys add NAME --api-key-file {self.path}`."

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(f"key file {str(self.path)!r} cannot be read: {reason}. {self._remedy}") from error
        if text == self._text:
            return
        found = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ConfigError(
                    f"key file {str(self.path)!r}, line {number}: expected name:sha256:<64 hexadecimal digits>. "
                    f"{self._remedy} Keys themselves do not belong in the file."
                )
            found[match[1]] = match[2].encode()
        self._digests, self._text = found, text


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
