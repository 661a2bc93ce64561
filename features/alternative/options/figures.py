"""Daily figures of option chains as rows of the table ``series``, one vintage per snapshot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.alternative.options.implied import implied_volatility
from features.alternative.options.parity import METHODS, Forwards, forwards_of
from features.alternative.options.quotes import CALENDAR, Dates, Float, Quotes, quotes_of, session_before
from features.alternative.options.reasons import SUPERSEDED, count_reasons, mark
from features.alternative.options.smile import constant_maturity, smiles
from features.alternative.schemas import SERIES

METHOD = "implied 1"
"""The method and its version, in the source of every row; a change of any figure needs another version."""

STORED, USED = "chain_quotes", "iv_quotes"
COUNTS = (STORED, USED)
"""Series that say how many quotes a snapshot has and how many were inverted; they are no features."""

_NEAR_DAYS, _FAR_DAYS = 30.0, 90.0
_MOST_SOURCES = 3


@dataclass(frozen=True, slots=True)
class ChainFigures:
    """Rows of ``series``, the number of quotes by the reason why they are unused, and of expiries by their forward."""

    rows: pd.DataFrame
    unused: dict[str, int]
    forwards: dict[str, int]


def chain_figures(
    chain: pd.DataFrame, rate: float = 0.0, dividend_yield: float = 0.0, calendar: str = CALENDAR
) -> ChainFigures:
    """Return the figures of each snapshot of one symbol's quotes.

    - ``iv30``: annualised implied volatility at the forward for 30 calendar days.
    - ``skew``: volatility of the put less that of the call with a delta of .25, for 30 days.
    - ``term_slope``: volatility at the forward for 90 days less ``iv30``.
    - ``put_volume``, ``call_volume``, ``put_call_volume``: contracts traded in the session so far, and their ratio.
    - ``put_open_interest``, ``call_open_interest``, ``put_call_open_interest``: of the session before (``period``),
      because the exchange publishes them on the next morning.
    - ``chain_quotes``, ``iv_quotes``: quotes of the snapshot, and those whose volatility was used.

    A figure that cannot be computed has no row. The vendor's ``iv`` is not used. Rows count from the end of the
    minute in which the snapshot became known, and depend on the quotes of that snapshot only. Options expire at the
    close of the exchange's last session up to their expiry.

    Parameters
    ----------
    chain
        Rows of :data:`.OPTIONS` of one symbol.
    rate, dividend_yield
        Per year, for expiries without enough pairs for put-call parity (:func:`.forwards_of`).
    calendar
        The exchange's name in ``exchange_calendars``.
    """
    if chain.empty:
        return ChainFigures(pd.DataFrame(columns=SERIES.names), {}, {})
    quotes = quotes_of(chain, calendar)
    forwards = forwards_of(quotes, rate, dividend_yield)
    figures = _volatilities(quotes, forwards) | _contracts(quotes)
    sources = _sources(chain["source"].to_numpy(object)[quotes.rows], quotes)
    before = session_before(quotes.session, calendar)
    frames = [
        _rows(name, values, before if "open_interest" in name else quotes.session, quotes.known_from, sources)
        for name, values in figures.items()
    ]
    rows = pd.concat(frames, ignore_index=True).sort_values(["known_from", "series"], kind="stable", ignore_index=True)
    rows.insert(0, "symbol", str(chain["symbol"].iloc[0]))
    methods = np.bincount(forwards.method, minlength=len(METHODS))
    counted = {name: int(count) for name, count in zip(METHODS, methods, strict=True) if count}
    return ChainFigures(rows[SERIES.names], count_reasons(quotes.reason), counted)


def _volatilities(quotes: Quotes, forwards: Forwards) -> dict[str, Float]:
    count = len(quotes.known_from)
    forward = forwards.forward[quotes.expiry]
    mark(quotes.reason, (quotes.strike >= forward) != quotes.is_call, "in_the_money")
    rows = np.flatnonzero(quotes.reason == 0)
    expiry, strike, is_call, forward = quotes.expiry[rows], quotes.strike[rows], quotes.is_call[rows], forward[rows]
    years = quotes.years[expiry]
    implied = implied_volatility(quotes.mid[rows], is_call, forward, strike, years, forwards.discount[expiry])
    quotes.reason[rows] = implied.reason
    good = implied.reason == 0
    moneyness = np.log(strike[good] / forward[good])
    smile = smiles(expiry[good], moneyness, implied.volatility[good], years[good], len(quotes.years))

    def at(volatility: Float, days: float) -> Float:
        return constant_maturity(quotes.snapshot, quotes.years, volatility, days, count)

    near = at(smile.at_forward, _NEAR_DAYS)
    of_quote = quotes.snapshot[quotes.expiry]
    return {
        "iv30": near,
        "skew": at(smile.put, _NEAR_DAYS) - at(smile.call, _NEAR_DAYS),
        "term_slope": at(smile.at_forward, _FAR_DAYS) - near,
        USED: np.bincount(of_quote[rows[good]], minlength=count).astype(np.float64),
        STORED: np.bincount(of_quote, minlength=count).astype(np.float64),
    }


def _contracts(quotes: Quotes) -> dict[str, Float]:
    out: dict[str, Float] = {}
    of_quote = quotes.snapshot[quotes.expiry]
    for name, values in (("volume", quotes.volume), ("open_interest", quotes.open_interest)):
        for right, rows in (("put", ~quotes.is_call), ("call", quotes.is_call)):
            usable = rows & (quotes.reason != SUPERSEDED) & np.isfinite(values)
            sums = np.bincount(of_quote[usable], weights=values[usable], minlength=len(quotes.known_from))
            has_any = np.bincount(of_quote[usable], minlength=len(sums)) > 0
            out[f"{right}_{name}"] = np.where(has_any, sums, np.nan)
        put, call = out[f"put_{name}"], out[f"call_{name}"]
        out[f"put_call_{name}"] = np.divide(put, call, out=np.full(len(put), np.nan), where=call > 0.0)
    return out


def _rows(name: str, values: Float, period: Dates, known_from: Dates, sources: list[str]) -> pd.DataFrame:
    rows = np.flatnonzero(np.isfinite(values))
    return pd.DataFrame(
        {
            "series": name,
            "period": period[rows].astype("datetime64[ns]"),
            "value": values[rows],
            "known_from": pd.DatetimeIndex(known_from[rows]).tz_localize("UTC"),
            "source": [sources[row] for row in rows.tolist()],
            "retrieved_at": pd.DatetimeIndex(np.full(len(rows), "NaT", "datetime64[ns]")).tz_localize("UTC"),
        }
    )


def _sources(source: np.ndarray, quotes: Quotes) -> list[str]:
    """Return the names of each snapshot's sources with the method, such as ``chain (implied 1)``."""
    codes, names = pd.factorize(source)
    of_quote = quotes.snapshot[quotes.expiry]
    pairs = np.unique(of_quote * len(names) + codes)
    found: list[list[str]] = [[] for _ in quotes.known_from]
    for pair in pairs.tolist():
        found[pair // len(names)].append(str(names[pair % len(names)]))
    return [f"{_joined(sorted(some))} ({METHOD})" for some in found]


def _joined(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_SOURCES else f"{len(names)} sources"
