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
from features.bars.schema import SymbolBars, read_frame
from features.sources.base import SourceSpec
from features.sources.file_parts import join_files, ragged_rows
from features.sources.table_file import TableFile, find, is_remote
from features.sources.tables import probe, read_tables, symbols_in
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
    """

    name = "files"

    def __init__(
        self, spec: str | Sequence[str], symbol: str | None = None, reading: ReadingConfig | None = None
    ) -> None:
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
        names = {file: self._name(file) for file in self.files}
        counts = Counter(names.values())
        inside = self._inside([file for file, name in names.items() if name is None]) if len(counts) > 1 else set()
        shared = [
            file for file, name in names.items() if name is None or counts[name] > 1 or inside is None or name in inside
        ]
        for file, name in names.items():
            if file not in shared and (not wanted or name in wanted):
                yield from self._read(file, name, wanted, parts)
        if len(shared) == 1:
            yield from self._read(shared[0], names[shared[0]], wanted, parts)
            return
        unique = self._in_one_file({file: names[file] for file in shared})
        found, unlike = dict[str, SymbolBars](), dict[str, str]()
        for file in shared:
            if wanted and names[file] is not None and names[file] not in wanted:
                continue
            for bars in self._read(file, names[file], wanted, parts):
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
            try:
                self._probes[file] = probe(file, self.reading)
            except DataError as error:
                self._probes[file] = error
        found = self._probes[file]
        if isinstance(found, DataError):
            raise found
        return found

    def _read(
        self, file: TableFile, symbol: str | None, wanted: set[str], parts: list[Quarantine]
    ) -> Iterator[SymbolBars]:
        place, found = repr(str(file)), list[SymbolBars]()
        try:
            for table in read_tables(file, self._probe(file), sorted(wanted), self.reading):
                if wanted and table.frame.empty:
                    continue
                read = read_frame(
                    table.frame,
                    self.symbol,
                    place=place,
                    default_symbol=table.symbol,
                    reading=self.reading,
                    delimiter=table.delimiter,
                )
                found += read.bars
                if len(read.quarantine):  # thousands of empty frames would take much memory
                    parts.append(read.quarantine)
                if table.ragged:
                    parts.append(ragged_rows(table, read.bars))
                lines = (*table.lines, *read.lines)
                self.read_as |= {bars.symbol: lines for bars in read.bars}
        except DataError as error:
            if len(self.files) == 1:
                raise
            self.missing[symbol or str(file)] = str(error)
            return
        yield from found


def _accepts(spec: str) -> bool:
    return is_remote(spec) or Path(spec).expanduser().exists() or bool(glob.has_magic(spec))


def _open(spec: str | Sequence[str], store: Store, reading: ReadingConfig) -> FileSource:
    return FileSource(spec, reading=reading)


SPEC = SourceSpec(name="files", open=_open, accepts=_accepts)
