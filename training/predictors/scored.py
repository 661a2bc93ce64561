"""scikit-learn's ``score``, for searches and cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.errors import DataError
from features.any_bars import AnyBars
from features.splits import SplitRows
from training.data.examples import Examples
from training.predictors.feature_labels import labels_of_panel
from training.predictors.reads_bars import ReadsBars


class Scored(ReadsBars):
    """A fleet that scores its forecasts of any bars whose outcomes are known."""

    def score(self, bars: AnyBars, target: Any = None, **options: Any) -> float:
        """Return minus the mean loss (log loss, or QLIKE) of all rows with a forecast and a known outcome.

        Give bars that the fit has not seen: :class:`features.PurgedWalkForward` splits them. The first rows have no
        forecast, because their windows are not complete. Arguments as of ``fit`` and ``predict``.

        Raises
        ------
        DataError
            No row has a forecast and a known outcome.
        """
        if target is not None and not self.from_features:
            raise DataError(f"a {type(self).__name__} has no labels: its outcomes are of prices. Give score(bars).")
        panel = self.panel(bars, **options)
        first, nothing = self.first_row(panel), np.zeros(0, np.int64)
        targets, rows = np.empty(len(panel.dates)), []
        if target is not None:
            targets[:] = labels_of_panel(target, bars, self.config.direction, panel)
        for i in range(len(panel.symbols)):
            part = panel.rows(i)
            if target is None:
                targets[part], known = self.task.targets(panel, i, self.config)
            else:
                known = targets[part] >= 0
            found = np.flatnonzero(known)
            rows.append(SplitRows(nothing, nothing, found[found >= first]))
        if not sum(len(part.test) for part in rows):
            raise DataError(
                f"no row has a forecast and a known outcome; at least {first + 2} bars are needed. Add bars."
            )
        losses, _ = self.row_losses(Examples(panel, targets, tuple(rows)), "test")
        return -float(losses.mean())
