"""Types of the arrays that bars consist of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]
Codes = npt.NDArray[np.integer[Any]]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
