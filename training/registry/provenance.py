"""What made a file: versions of libraries, and a hash of the project's code that decided its content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from configs.load import config_hash

_LIBRARIES = ("fleetcast", "numpy", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib", "ray")
_ROOT = Path(__file__).parents[2]

_OURS = r"(?:configs|features|training|tuning|serving|cluster)\b"
_FROM = re.compile(rf"^[ \t]*from ({_OURS}[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_IMPORT = re.compile(rf"^[ \t]*import ({_OURS}[\w.]*)", re.MULTILINE)
_TEXT = re.compile(rf'"({_OURS}(?:\.\w+)+)(?:"|\.\{{)')
_NAME = re.compile(r"(?:^|[(,])\s*(\w+)")
_QUOTES = '"' * 3  # written so that this file has them in pairs
_SPACING = re.compile(r"\n(?:[ \t]*(?:#.*)?\n)+")
_TITLE = re.compile(r'(title ?= ?)"(?:[^"\\\n]|\\.)*"')
_TYPES_ONLY = re.compile(r"^if TYPE_CHECKING:\n(?:(?:[ \t].*)?\n)+", re.MULTILINE)


_version = cache(version)  # parses the metadata of a package


def library_versions(names: Iterable[str] = _LIBRARIES) -> dict[str, str]:
    """Return the installed version of each of these packages that is installed."""
    found = {}
    for name in names:
        try:
            found[name] = _version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_hash(*names: str, root: Path = _ROOT) -> str:
    """Return a hash of the code of these modules and of every module of the project that they import.

    What was made by code with another hash is made again; an edit of any other module, or of what :func:`code_of`
    leaves out, invalidates nothing.
    """
    return config_hash([(path, code_of(source)) for path, source in sorted(import_closure(names, root).items())])


def code_of(source: str) -> str:
    """Return a source without its docstrings, lines of comments, blank lines, and texts that a name ``…title`` gets.

    All these are words for people, which compute nothing. Text in triple quotes that is no statement stays, and so does
    all of a source in which such quotes are not in pairs.
    """
    parts = source.split(_QUOTES)
    if len(parts) % 2 == 0:
        return source
    out = [_TITLE.sub(r'\1""', _SPACING.sub("\n", code)) for code in parts[::2]]
    for i in range(1, len(parts), 2):
        before, after = parts[i - 1].rpartition("\n")[2], parts[i + 1].partition("\n")[0]
        out.insert(i, parts[i] if before.strip(" r") or after.strip() else "")
    return _QUOTES.join(out)


def import_closure(names: Iterable[str], root: Path = _ROOT) -> dict[str, str]:
    """Return path → source of these modules and of every module below ``root`` that they import; nothing is executed.

    Imports inside functions count, those for type checkers do not. A package counts with all its modules where it is
    imported as such or lists itself (catalogs). A text literal that names a module, or an attribute of one, counts as
    an import (lazy imports). The ``__init__`` files of the packages around a module are executed with it and are
    included; the modules that they import are not.
    """
    sources: dict[str, str] = {}
    waiting = {path for name in names for path in _files(name, root)}
    followed: set[Path] = set()
    while waiting:
        path = waiting.pop()
        followed.add(path)
        source = sources[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
        for folder in path.relative_to(root).parents[:-1]:
            package = (folder / "__init__.py").as_posix()
            if package not in sources and (root / package).is_file():
                sources[package] = (root / package).read_text(encoding="utf-8")
        waiting |= set(_imports(source, root)) - followed
        if path.name == "__init__.py" and "__path__" in source:
            waiting |= set(path.parent.rglob("*.py")) - followed
    return sources


def _imports(source: str, root: Path) -> Iterator[Path]:
    """Yield the files that a source imports or names. It is scanned: parsing takes twenty times as long."""
    code = _TYPES_ONLY.sub("", source)
    for module, names in _FROM.findall(code):
        for name in _NAME.findall(names):
            yield from _files(f"{module}.{name}", root) or _file(module, root)
    for name in _IMPORT.findall(code):
        yield from _files(name, root)
    for name in _TEXT.findall(code):
        module = name.rpartition(".")[0]
        yield from _files(name, root) or (_file(module, root) if "." in module else [])


def _files(name: str, root: Path) -> list[Path]:
    """Return the file of a module, all files of a package, or nothing where the name is neither."""
    path = root / name.replace(".", "/")
    return sorted(path.rglob("*.py")) if (path / "__init__.py").is_file() else _file(name, root)


def _file(name: str, root: Path) -> list[Path]:
    path = root / name.replace(".", "/")
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
