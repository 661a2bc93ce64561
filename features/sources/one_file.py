"""One file of bars: what it is, and its bars with everything that reading them said."""

from __future__ import annotations

from dataclasses import dataclass, field

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars, read_frame
from features.sources.file_parts import ragged_rows
from features.sources.table_file import TableFile
from features.sources.tables import probe, read_tables
from features.sources.text_table import Probe


@dataclass(slots=True)
class FileBars:
    """The bars of a file, the rows left out, how each symbol's were read; or why they could not be read."""

    bars: list[SymbolBars] = field(default_factory=list)
    quarantine: list[Quarantine] = field(default_factory=list)
    read_as: dict[str, tuple[str, ...]] = field(default_factory=dict)
    error: DataError | None = None


@dataclass(frozen=True, slots=True)
class ProbedFile:
    """A file, and what its first bytes say."""

    file: TableFile
    probed: Probe | DataError


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads one file after the other, in any process.

    Parameters
    ----------
    reading
        What the files' content cannot decide.
    symbol
        The symbol of a single file.
    wanted
        The symbols to read; all if empty.
    """

    reading: ReadingConfig
    symbol: str | None = None
    wanted: tuple[str, ...] = ()

    def probe(self, file: TableFile) -> ProbedFile:
        """Return what a file is."""
        try:
            return ProbedFile(file, probe(file, self.reading))
        except DataError as error:
            return ProbedFile(file, error)

    def read(self, one: ProbedFile) -> FileBars:
        """Return the bars of a file; what was read before an error is left out."""
        if isinstance(one.probed, DataError):
            return FileBars(error=one.probed)
        found = FileBars()
        try:
            for table in read_tables(one.file, one.probed, self.wanted, self.reading):
                if self.wanted and table.frame.empty:
                    continue
                read = read_frame(
                    table.frame,
                    self.symbol,
                    place=repr(str(one.file)),
                    default_symbol=table.symbol,
                    reading=self.reading,
                    delimiter=table.delimiter,
                )
                found.bars += read.bars
                if len(read.quarantine):  # thousands of empty frames would take much memory
                    found.quarantine.append(read.quarantine)
                if table.ragged:
                    found.quarantine.append(ragged_rows(table, read.bars))
                lines = (*table.lines, *read.lines)
                found.read_as |= {bars.symbol: lines for bars in read.bars}
        except DataError as error:
            return FileBars(quarantine=found.quarantine, read_as=found.read_as, error=error)
        return found
