"""What an account carries from one bar to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from configs.errors import DataError
from training.validation.backtest.market import Float


@dataclass(frozen=True, eq=False)
class AccountState:
    """Money and units after the decisions of a close, from which an account goes on.

    Parameters
    ----------
    cash
        Money, without positions.
    position, wanted : (S,)
        Units held, and units to hold: the difference is what is traded in the next bar.
    locked : (S,)
        Sign of a position that a stop or target closed, until the sign of its target changes; 0 for none.
    is_closing
        Whether the account is ruined, so that nothing is held any more.
    """

    cash: float
    position: Float
    wanted: Float
    locked: Float
    is_closing: bool = False

    @classmethod
    def of(cls, cash: float, symbols: int) -> Self:
        """Return a new account of so many symbols."""
        return cls(cash, np.zeros(symbols), np.zeros(symbols), np.zeros(symbols))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON; Python writes every float so that it reads the same one."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return {"cash": self.cash, **arrays, "is_closing": self.is_closing}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the account that :meth:`as_json` described.

        Raises
        ------
        DataError
            Something is missing or of another form.
        """
        try:
            arrays = {name: np.array(stored[name], dtype=np.float64) for name in _ARRAYS}
            found = cls(cash=float(stored["cash"]), **arrays, is_closing=bool(stored["is_closing"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the state of an account cannot be read ({type(error).__name__}: {error}); expected cash, is_closing "
                f"and lists of numbers {', '.join(_ARRAYS)}."
            ) from error
        if len({one.shape for one in arrays.values()}) > 1:
            raise DataError("the state of an account has lists of different lengths; expected one number a symbol.")
        return found


_ARRAYS = ("position", "wanted", "locked")
