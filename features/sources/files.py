"""Bars in files: one long table, a folder with one file per symbol, or a glob."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.merge import between
from features.bars.quarantine import Quarantine
from features.bars.reading.names import field_of
from features.bars.schema import SymbolBars
from features.sources.base import SourceSpec
from features.sources.file_parts import join_files
from features.sources.one_file import FileBars, FileReader, ProbedFile
from features.sources.processes import Processes
from features.sources.table_file import TableFile, find, is_remote
from features.sources.tables import symbols_in
from features.sources.text_table import Probe
from features.store.store import Store


class FileSource:
    """Bars from text, Parquet, Arrow, JSON and spreadsheets, also compressed or zipped, on a disk or in a bucket.

    A file without a symbol column contains the symbol that it is named after. Files are read one at a time, so a folder
    of files with a few hundred symbols each needs the memory of the largest; only symbols that occur in several files
    are kept until all are read. Of several files, one that cannot be read is reported in ``missing``.

    Parameters
    ----------
    spec
        Path or ``s3://`` or ``gs://`` URI of a file, a folder (not searched recursively) or a glob; or several of them.
    symbol
        The symbol of a single file.
    reading
        What the files' content cannot decide.
    processes
        Processes of this machine that read a folder of thousands of files; the main module must be importable.
    """

    name = "files"

    def __init__(
        self,
        spec: str | Sequence[str],
        symbol: str | None = None,
        reading: ReadingConfig | None = None,
        processes: int = 1,
    ) -> None:
        self._processes = processes
        self.reading = reading or ReadingConfig()
        self.read_as: dict[str, tuple[str, ...]] = {}
        self._probes: dict[TableFile, Probe | DataError] = {}
        self._specs, self.symbol = (spec,) if isinstance(spec, str) else tuple(dict.fromkeys(spec)), symbol
        self.spec = self._specs[0] if len(self._specs) == 1 else f"{len(self._specs)} paths, {self._specs[0]} first"
        self.files = self._found()
        if symbol is not None and len(self.files) > 1:
            raise DataError(
                f"{self.spec!r} has {len(self.files)} files, so the one name {symbol!r} does not apply. Leave it out."
            )
        self.quarantine = Quarantine.empty()
        self.missing: dict[str, str] = {}

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield bars symbol by symbol; see :class:`~features.sources.base.Source`."""
        wanted, found, parts = set(symbols), set(), list[Quarantine]()
        self.missing, self.read_as = {}, {}
        for bars in self._bars(wanted, parts):
            if wanted and bars.symbol not in wanted:
                continue
            found.add(bars.symbol)
            inside = between(bars, start, end)
            if len(inside):
                yield inside
            else:
                self.missing[bars.symbol] = "no bars in the requested period"
        quarantine = Quarantine.concat(parts)
        self.quarantine = (
            Quarantine(quarantine.frame[quarantine.frame["symbol"].isin(wanted)]) if wanted else quarantine
        )
        for symbol in wanted - found - set(self.missing):
            rows = len(self.quarantine.of(symbol))
            self.missing[symbol] = f"all {rows} rows break a rule" if rows else f"not in {self.spec!r}"
        if not found and not wanted:
            reason = next(iter(self.missing.values()))
            raise DataError(f"no file of {self.spec!r} can be read; the first: {reason}")

    def stamp(self) -> str:
        """Return the current paths of the folder or glob with their sizes and times."""
        return repr([(str(file), file.size, file.stamp) for file in self._found()])

    def _found(self) -> list[TableFile]:
        """Return the files of all paths, each once."""
        found = (file for spec in self._specs for file in find(spec, self.reading.max_unpacked_bytes))
        return list({str(file): file for file in found}.values())

    def _bars(self, wanted: set[str], parts: list[Quarantine]) -> Iterator[SymbolBars]:
        """Yield symbols of a single file as they are read, then those that several files have, joined."""
        with Processes(self._processes) as processes:
            left = [file for file in self.files if file not in self._probes]
            probed = processes.map(FileReader(self.reading).probe, left)
            self._probes |= {one.file: one.probed for one in probed}
            names = {file: self._name(file) for file in self.files}
            counts = Counter(names.values())
            inside = self._inside([file for file, name in names.items() if name is None]) if len(counts) > 1 else set()
            shared = [
                file
                for file, name in names.items()
                if name is None or counts[name] > 1 or inside is None or name in inside
            ]
            of_several = frozenset(shared)
            single = [file for file in names if file not in of_several and (not wanted or names[file] in wanted)]
            reader = FileReader(self.reading, self.symbol, tuple(sorted(wanted)))
            found = processes.map(reader.read, [ProbedFile(file, self._probes[file]) for file in single])
            for file, one in zip(single, found, strict=True):
                yield from self._take(one, names[file] or str(file), parts)
        if len(shared) == 1:
            yield from self._read(shared[0], names[shared[0]], wanted, parts)
            return
        yield from self._joined({file: names[file] for file in shared}, wanted, parts)

    def _joined(
        self, names: Mapping[TableFile, str | None], wanted: set[str], parts: list[Quarantine]
    ) -> Iterator[SymbolBars]:
        unique = self._in_one_file(names)
        found, unlike = dict[str, SymbolBars](), dict[str, str]()
        for file, name in names.items():
            if wanted and name is not None and name not in wanted:
                continue
            for bars in self._read(file, name, wanted, parts):
                if bars.symbol in unique:
                    yield bars
                    continue
                first = found.get(bars.symbol)
                try:
                    found[bars.symbol] = bars if first is None else join_files(first, bars, parts)
                except DataError as error:
                    unlike[bars.symbol] = str(error)
        self.missing |= unlike
        for symbol in sorted(found.keys() - unlike.keys()):
            yield found[symbol]

    def _inside(self, files: Sequence[TableFile]) -> set[str] | None:
        """Return the symbols in these files' symbol columns, ``None`` if those of one are not known in advance."""
        found = set[str]()
        for file in files:
            try:
                symbols = symbols_in(file, self._probe(file))
            except DataError:
                continue  # reading it reports the error
            if symbols is None:
                return None
            found |= symbols
        return found

    def _in_one_file(self, names: Mapping[TableFile, str | None]) -> frozenset[str]:
        """Return the symbols that only one of these files has; none if a file's symbols are not known in advance."""
        counts = Counter[str]()
        for file, name in names.items():
            symbols = {name} if name is not None else self._inside([file])
            if symbols is None:
                return frozenset()
            counts.update(symbols)
        return frozenset(symbol for symbol, count in counts.items() if count == 1)

    def _name(self, file: TableFile) -> str | None:
        """Return the symbol of a file without symbols, ``None`` for one that may name them."""
        if self.symbol is not None:
            return self.symbol
        try:
            probed = self._probe(file)
        except DataError:
            return file.stem
        names = {field_of(name) for name in probed.names}
        plain = {"date", "close"} <= names and probed.symbol_column is None and self.reading.symbol_column is None
        return file.stem if plain else None

    def _probe(self, file: TableFile) -> Probe:
        if file not in self._probes:
            self._probes[file] = FileReader(self.reading).probe(file).probed
        found = self._probes[file]
        if isinstance(found, DataError):
            raise found
        return found

    def _read(
        self, file: TableFile, symbol: str | None, wanted: set[str], parts: list[Quarantine]
    ) -> Iterator[SymbolBars]:
        reader = FileReader(self.reading, self.symbol, tuple(sorted(wanted)))
        yield from self._take(reader.read(ProbedFile(file, self._probes[file])), symbol or str(file), parts)

    def _take(self, found: FileBars, name: str, parts: list[Quarantine]) -> list[SymbolBars]:
        """Add what reading a file said to that of the others; return its bars."""
        parts += found.quarantine
        self.read_as |= found.read_as
        if found.error is None:
            return found.bars
        if len(self.files) == 1:
            raise found.error
        self.missing[name] = str(found.error)
        return []


def _accepts(spec: str) -> bool:
    return is_remote(spec) or Path(spec).expanduser().exists() or bool(glob.has_magic(spec))


def _open(spec: str | Sequence[str], store: Store, reading: ReadingConfig) -> FileSource:
    return FileSource(spec, reading=reading)


SPEC = SourceSpec(name="files", open=_open, accepts=_accepts)
