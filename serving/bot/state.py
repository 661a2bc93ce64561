"""What a bot carries from one step to the next, as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

import numpy as np

from configs.errors import BotError
from serving.bot.protections import ProtectionState
from training.strategy.follow import PortfolioState
from training.strategy.series import Float
from training.validation.backtest.account_state import AccountState

_VERSION = 1
_NUMBERS = {  # of each symbol, and what it is if nothing is stored
    "position": 0.0,
    "wanted": 0.0,
    "locked": 0.0,
    "weight": 0.0,
    "stop": math.nan,
    "take_profit": math.nan,
    "waiting": 0.0,
    "filled": 0.0,
    "close": math.nan,
    "close_before": math.nan,
    "basis": 0.0,
    "realised": 0.0,
    "costs": 0.0,
    "bars_per_year": math.nan,
}
_DATES = ("date", "date_before")


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is not filled yet; ``decided`` and ``bar_date`` are in ISO format."""

    id: str
    decided: str
    bar_date: str
    quantity: float
    target: float
    reason: str
    state: str


@dataclass(frozen=True, eq=False)
class BotState:
    """The account, and what the strategy holds, after a step.

    Parameters
    ----------
    bot
        The bot's name.
    started, date, instant
        Dates of the bars of the first and the newest step, and the close of the newest; both None before the first.
    bars_per_year
        Of the calendar of all symbols, by which yearly interest on cash is divided.
    symbols
        Of the arrays in ``numbers`` and ``dates``, (S,) each: the account, what the strategy decided (``weight``,
        ``stop``, ``take_profit``, ``waiting``, ``filled``), the two newest closes with their dates, profits, and each
        symbol's own bars a year, by which its yearly fee for borrowing is divided (NaN: still unknown).
    retired
        Realised profit and costs of symbols that are no longer among ``symbols``.
    terms
        What the account's money means, see :func:`.terms_of`; None in a state that an older Fleetcast wrote.
    """

    bot: str
    started: np.datetime64
    instant: datetime | None
    date: np.datetime64 | None
    bars_per_year: float
    cash: float
    starting_cash: float
    interest: float
    is_closing: bool
    symbols: tuple[str, ...]
    numbers: Mapping[str, Float]
    dates: Mapping[str, Any]
    protection: ProtectionState
    orders: Mapping[str, OpenOrder] = field(default_factory=dict)
    retired: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    terms: Mapping[str, Any] | None = None

    @property
    def account(self) -> AccountState:
        """The account."""
        one = self.numbers
        return AccountState(self.cash, one["position"], one["wanted"], one["locked"], self.is_closing)

    @property
    def decided(self) -> PortfolioState:
        """What the strategy decided."""
        one = self.numbers
        return PortfolioState(
            one["weight"], one["stop"], one["take_profit"], one["waiting"].astype(np.int64), one["filled"]
        )

    def on(self, symbols: tuple[str, ...]) -> Self:
        """Return the state of these symbols, and after them of others that are held or to be held."""
        if symbols == self.symbols:
            return self
        kept = (self.numbers["position"] != 0.0) | (self.numbers["wanted"] != 0.0)
        others = [name for s, name in enumerate(self.symbols) if kept[s] and name not in symbols]
        names = (*symbols, *others)
        place = {name: s for s, name in enumerate(self.symbols)}
        rows = np.array([place.get(name, -1) for name in names], dtype=np.int64)
        numbers = {
            name: np.where(rows >= 0, self.numbers[name][rows], none) if len(place) else np.full(len(names), none)
            for name, none in _NUMBERS.items()
        }
        dates = {
            name: np.where(rows >= 0, self.dates[name][rows], _NEVER) if len(place) else np.full(len(names), _NEVER)
            for name in _DATES
        }
        retired = dict(self.retired)
        for name, s in place.items():
            found = float(self.numbers["realised"][s]), float(self.numbers["costs"][s])
            if name not in names and found != (0.0, 0.0):
                retired[name] = found
        for s, name in enumerate(names):
            if name in retired:
                numbers["realised"][s], numbers["costs"][s] = retired.pop(name)
        return replace(self, symbols=names, numbers=numbers, dates=dates, retired=retired)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, from which :meth:`of_json` makes an equal one, bit for bit."""
        symbols: dict[str, dict[str, Any]] = {name: {} for name in self.symbols}
        for name, none in _NUMBERS.items():
            for symbol, value in zip(self.symbols, self.numbers[name].tolist(), strict=True):
                if value != none and not math.isnan(value):
                    symbols[symbol][name] = value
        for name in _DATES:
            for symbol, date in zip(self.symbols, self.dates[name], strict=True):
                if not np.isnat(date):
                    symbols[symbol][name] = str(date)
        return {
            "version": _VERSION,
            "bot": self.bot,
            "started": str(self.started),
            "instant": None if self.instant is None else self.instant.isoformat(),
            "date": None if self.date is None else str(self.date),
            **{name: getattr(self, name) for name in _PLAIN},
            "symbols": symbols,
            "guard": self.protection.as_json(),
            "orders": {
                name: {part: getattr(order, part) for part in OpenOrder.__slots__}
                for name, order in self.orders.items()
            },
            "retired": {name: list(pair) for name, pair in self.retired.items()},
            "terms": self.terms,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the state that was stored.

        Raises
        ------
        BotError
            It cannot be read, or another version of Fleetcast wrote it.
        """
        version = stored.get("version") if isinstance(stored, Mapping) else None
        if version != _VERSION:
            raise BotError(
                f"the stored state of the bot is of version {version!r}; this version of Fleetcast reads {_VERSION}. "
                "Use the version that wrote it, or begin a bot with another name."
            )
        try:
            symbols: Mapping[str, Mapping[str, Any]] = stored["symbols"]
            return cls(
                bot=stored["bot"],
                started=_date(stored["started"]),
                instant=None if stored["instant"] is None else datetime.fromisoformat(stored["instant"]),
                date=None if stored["date"] is None else _date(stored["date"]),
                **{name: stored[name] for name in _PLAIN},
                symbols=tuple(symbols),
                numbers={
                    name: np.array([one.get(name, none) for one in symbols.values()], dtype=np.float64)
                    for name, none in _NUMBERS.items()
                },
                dates={
                    name: np.array([one.get(name, "NaT") for one in symbols.values()], dtype="datetime64[ns]")
                    for name in _DATES
                },
                protection=ProtectionState.of_json(stored["guard"]),
                orders={name: OpenOrder(**order) for name, order in stored["orders"].items()},
                retired={name: (realised, costs) for name, (realised, costs) in stored["retired"].items()},
                terms=stored.get("terms"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BotError(
                f"the stored state of the bot cannot be read ({type(error).__name__}: {error}). Restore the journal "
                "from a copy, or begin a bot with another name."
            ) from error


_PLAIN = ("bars_per_year", "cash", "starting_cash", "interest", "is_closing")
_NEVER = np.datetime64("NaT", "ns")


def empty_numbers(symbols: int) -> tuple[dict[str, Float], dict[str, Any]]:
    """Return ``numbers`` and ``dates`` of symbols that were never held."""
    return {name: np.full(symbols, none) for name, none in _NUMBERS.items()}, {
        name: np.full(symbols, _NEVER) for name in _DATES
    }


def _date(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")
