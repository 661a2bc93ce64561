"""Examples: which rows of a panel train, validate and test a kind of model, and what they are to predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.panel import Panel
from features.splits import SplitRows

Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Part = Literal["train", "valid", "test"]

MIN_TRAIN_ROWS, MIN_VALID_ROWS = 60, 10  # what a year of bars leaves


@dataclass(frozen=True, slots=True)
class Examples:
    """The rows of one block of symbols.

    ``targets`` holds one value a row of the panel: the class of the forward return (0, 1, 2; −1 unknown) for direction,
    the mean variance a bar over the horizon (NaN unknown) for volatility. ``rows`` holds, per symbol, positions *within
    the symbol* of windows that are complete and whose target is known.
    """

    panel: Panel
    targets: Float
    rows: tuple[SplitRows, ...]

    def insufficient_data(self) -> dict[str, str]:
        """Return the symbols that cannot be fitted, each with its reason."""
        reasons = {}
        for i, (symbol, rows) in enumerate(zip(self.panel.symbols, self.rows, strict=True)):
            close = self.panel.close[self.panel.rows(i)]
            if len(close) and np.ptp(close) == 0:
                reasons[symbol] = "the price is constant"
            elif len(rows.train) < MIN_TRAIN_ROWS:
                reasons[symbol] = f"{len(rows.train)} training windows; at least {MIN_TRAIN_ROWS} are needed"
                if len(rows.train) + len(rows.valid) + len(rows.test) >= MIN_TRAIN_ROWS + MIN_VALID_ROWS:
                    first = str(self.panel.dates[self.panel.offsets[i]])[:10]
                    reasons[symbol] += (
                        f". Its bars start on {first}, too late for the train period, whose dates all symbols share; "
                        "a run of its own splits its own dates"
                    )
            elif len(rows.valid) < MIN_VALID_ROWS:
                reasons[symbol] = f"{len(rows.valid)} validation windows; at least {MIN_VALID_ROWS} are needed"
            elif np.ptp(self.panel.close[rows.train + self.panel.offsets[i]]) == 0:
                reasons[symbol] = "the price is constant over the whole training period"
        return reasons

    def select(self, symbols: tuple[str, ...]) -> Examples:
        """Return the examples of these symbols only."""
        if symbols == self.panel.symbols:
            return self
        position = {symbol: i for i, symbol in enumerate(self.panel.symbols)}
        parts = [self.targets[self.panel.rows(position[symbol])] for symbol in symbols]
        return Examples(
            self.panel.select(symbols),
            np.concatenate(parts) if parts else self.targets[:0],
            tuple(self.rows[position[symbol]] for symbol in symbols),
        )

    def part(self, name: Part) -> list[Int64]:
        """Return each symbol's rows (nᵢ,) of ``train``, ``valid`` or ``test``, counted from its first bar."""
        return [getattr(rows, name) for rows in self.rows]

    def train_and_valid(self) -> list[Int64]:
        """Return each symbol's train and validation rows (nᵢ,), which a fit may see."""
        return [np.concatenate([rows.train, rows.valid]) for rows in self.rows]

    def panel_rows(self, rows: Sequence[Int64]) -> tuple[Int64, Int64]:
        """Return rows within each symbol as rows of the panel (n,), and each one's position among the symbols (n,)."""
        return panel_rows(self.panel, rows)

    def labels(self, name: Part) -> tuple[Int64, Int64]:
        """Return the classes (n,) of a part's rows, and each one's position among the symbols (n,)."""
        panel_rows, symbol = self.panel_rows(self.part(name))
        return self.targets[panel_rows].astype(np.int64), symbol

    def last_outcomes(self, horizon: int) -> Int64:
        """Return when the last outcomes of train and of validation rows were known, in ns (2,)."""
        found = []
        for rows in (self.part("train"), self.part("valid")):
            panel_rows, _ = self.panel_rows(rows)
            found.append(self.panel.dates[panel_rows + horizon].max())
        return np.array(found, "datetime64[ns]").view(np.int64)

    def train_features(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each symbol's features (nᵢ, F) of its train rows."""
        for i, rows in enumerate(self.rows):
            yield self.panel.features[self.panel.rows(i)][rows.train]


def panel_rows(panel: Panel, rows: Sequence[Int64]) -> tuple[Int64, Int64]:
    """Return rows within each symbol as rows of the panel (n,), and each one's position among the symbols (n,)."""
    pieces = [np.asarray(part, np.int64) + panel.offsets[i] for i, part in enumerate(rows)]
    joined = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
    return joined, np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
