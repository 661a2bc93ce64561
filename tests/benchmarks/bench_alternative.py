"""What each group of alternative data adds to forecasts of volatility and direction, on validation-free test years.

    python tests/benchmarks/bench_alternative.py --bars equities.parquet --macro macro.parquet
        --options implied_vol.parquet --text headlines.parquet

A linear model of log volatility (log-HAR, leverage and the market's volatility) and a logistic regression of the
direction are fitted with and without the columns of a group, on the same rows of the same symbols: those that have the
group's data. Penalties are chosen on 2013 and 2014 after fitting on earlier years, then both are fitted to 2014 and
scored from 2015-02 on; horizon 5. Prints JSON with the relative difference of QLIKE and the difference of log loss
(negative: the group helps), each with its standard error clustered by day for the overlap of horizons.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from configs.models import LabelConfig
from features import bars_from_frame
from features.alternative.known import KnownData
from features.alternative.lags import fallback_lag
from features.alternative.text.lexicon import LexiconScorer
from features.bars.schema import SymbolBars
from features.labels import bar_variance, direction_labels, ewma_volatility, volatility_target
from features.rolling import change, lag, rolling_mean
from training.metrics.clustered import day_jackknife
from training.metrics.volatility import qlike_rows

HORIZON = 5
VALID, TRAIN_END, TEST = np.datetime64("2013-01-01"), np.datetime64("2014-12-20"), np.datetime64("2015-02-01")
PENALTIES = (1.0, 100.0, 10_000.0)
MACRO = ("VIX_close", "T10Y2Y", "ICSA", "STLFSI", "WTI_DAILY", "CPIAUCSL", "FEDFUNDS", "BAA", "WALCL")
_FLOOR = 1e-8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bars", "macro", "options", "text"):
        parser.add_argument(f"--{name}", required=name == "bars")
    parser.add_argument("--symbols", type=int, default=60, help="symbols of market-wide groups")
    given = parser.parse_args()
    table = pd.read_parquet(given.bars)
    names = sorted(table["symbol"].unique())
    groups: dict[str, tuple[KnownData, list[str]]] = {}
    if given.options:
        rows = implied(given.options)
        groups["options"] = KnownData.from_frames(rows), sorted(set(rows["symbol"]) & set(names))
    if given.macro:
        groups["macro"] = KnownData.from_frames(macro(given.macro)), names[:: max(1, len(names) // given.symbols)]
    if given.text:
        rows = texts(given.text)
        counts = rows["symbol"].value_counts()
        groups["sentiment"] = KnownData.from_frames(texts=rows), sorted(set(counts[counts >= 20].index) & set(names))
    wanted = sorted({name for _, some in groups.values() for name in some})
    bars = {b.symbol: b for b in bars_from_frame(table[table["symbol"].isin(wanted)])[0]}
    market = market_variance(bars.values())
    print(
        json.dumps(
            {"groups": {name: added(data, some, bars, market) for name, (data, some) in groups.items()}}, indent=1
        )
    )


def implied(path: str) -> pd.DataFrame:
    """Return implied volatilities of a day as known at the end of that day: the next session's close uses them."""
    wide = pd.read_parquet(path).rename(columns={"Date": "period"})
    rows = wide.melt("period", var_name="symbol", value_name="value").dropna().assign(series="iv30")
    known = pd.DatetimeIndex(rows["period"]).tz_localize("UTC") + pd.Timedelta(days=1)
    return rows.assign(known_from=known)


def macro(path: str) -> pd.DataFrame:
    """Return series with their fallback lags: revised values."""
    rows = pd.read_parquet(path).rename(columns={"date": "period"})
    rows = rows[rows["series"].isin(MACRO) & (rows["period"] >= "1998-01-01")].assign(symbol="")
    lags = rows["series"].map({name: fallback_lag(name) for name in MACRO}).astype(int)
    days = pd.DatetimeIndex(rows["period"]) + pd.to_timedelta(lags.to_numpy(), unit="D")
    return rows.assign(known_from=days.tz_localize("UTC"))


def texts(path: str) -> pd.DataFrame:
    """Return headlines as known at the end of their day, with the tone of the embedded lexicon."""
    rows = pd.read_parquet(path).rename(columns={"ticker": "symbol", "article_headline": "text"})
    known = pd.DatetimeIndex(pd.to_datetime(rows["article_date"])).tz_localize("UTC") + pd.Timedelta(days=1)
    rows = rows.assign(known_from=known, kind="news", source="file", id=np.arange(len(rows)).astype(str))
    return rows.assign(tone=LexiconScorer().score(rows["text"].tolist()).tone)


def market_variance(bars: object) -> pd.Series:
    """Return the mean variance of all symbols by date."""
    return pd.concat([pd.Series(bar_variance(b), b.dates) for b in bars]).groupby(level=0).mean()


def base(bars: SymbolBars, market: pd.Series) -> np.ndarray:
    """Return the usual predictors of a symbol's volatility (N, 7): HAR, leverage, and the market's volatility."""
    variance = np.maximum(np.nan_to_num(bar_variance(bars), nan=_FLOOR), _FLOOR)
    means = [np.log(np.maximum(rolling_mean(variance, w), _FLOOR)) for w in (1, 5, 22)]
    overall = np.maximum(market.reindex(bars.dates).to_numpy(), _FLOOR)
    of_market = [np.log(np.maximum(rolling_mean(overall, w), _FLOOR)) for w in (1, 5)]
    returns = change(np.log(bars.close), 1)
    fall = np.minimum(returns, 0.0) / np.sqrt(np.maximum(ewma_volatility(variance, 0.94) ** 2, _FLOOR))
    return np.stack([*means, *of_market, fall, lag(fall, 1)], axis=1)


def added(data: KnownData, symbols: list[str], bars: dict[str, SymbolBars], market: pd.Series) -> dict[str, float]:
    """Return what the data of these symbols add to both forecasts."""
    parts = []
    for place, name in enumerate(symbols):
        one = bars[name]
        variance = bar_variance(one)
        known = np.nan_to_num(data.at(name, one.dates))
        ages = [i for i, column in enumerate(data.columns) if column.endswith("_age")]
        has = (np.nan_to_num(data.at(name, one.dates)[:, ages], nan=np.inf) < np.inf).any(axis=1)
        labels = direction_labels(one.close, ewma_volatility(variance, 0.94), HORIZON, LabelConfig())
        columns = {"target": volatility_target(variance, HORIZON), "label": labels, "has": has, "symbol": place}
        frame = pd.DataFrame(columns, index=one.dates)
        usual = pd.DataFrame(base(one, market), one.dates).add_prefix("base_")
        more = pd.DataFrame(known, one.dates, list(data.columns)).add_prefix("more_")
        parts.append(pd.concat([frame, usual, more], axis=1))
    rows = pd.concat(parts)
    rows = rows[rows["has"] & (rows["label"] >= 0) & (rows["target"] > _FLOOR)].dropna()
    few = rows.filter(like="base_").to_numpy()
    fixed = (rows["symbol"].to_numpy()[:, None] == np.arange(len(symbols))).astype(float)
    small, large = np.hstack([few, fixed]), np.hstack([few, fixed, rows.filter(like="more_").to_numpy()])
    dates = rows.index.to_numpy().astype("datetime64[D]")
    target, label = rows["target"].to_numpy(), rows["label"].to_numpy().astype(int)
    qlikes = [best(x, dates, lambda a, b, c, p: variance_loss(a, b, c, p, target)) for x in (small, large)]
    losses = [best(x, dates, lambda a, b, c, p: direction_loss(a, b, c, p, label)) for x in (small, large)]
    days = dates[dates >= TEST]
    difference, error = by_day(qlikes[1] - qlikes[0], days)
    log_loss, log_loss_error = by_day(losses[1] - losses[0], days)
    level = float(qlikes[0].mean())
    figures = {
        "qlike_without": level,
        "qlike_relative": difference / level,
        "qlike_relative_se": error / level,
        "log_loss_difference": log_loss,
        "log_loss_difference_se": log_loss_error,
    }
    return {**{k: round(v, 5) for k, v in figures.items()}, "symbols": len(symbols), "test_rows": len(days)}


Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


def best(x: np.ndarray, dates: np.ndarray, fit: Fit) -> np.ndarray:
    """Return the test losses with the penalty that is best on the validation years."""
    scaled = StandardScaler().fit(x[dates < VALID]).transform(x).clip(-5.0, 5.0)
    early, valid = dates < VALID - np.timedelta64(10, "D"), (dates >= VALID) & (dates <= TRAIN_END)
    penalty = min(PENALTIES, key=lambda p: float(fit(scaled, early, valid, p).mean()))
    return fit(scaled, dates <= TRAIN_END, dates >= TEST, penalty)


def variance_loss(x: np.ndarray, fitted: np.ndarray, scored: np.ndarray, penalty: float, y: np.ndarray) -> np.ndarray:
    """Return the QLIKE of each scored row; the level is corrected on the fitted rows."""
    model = Ridge(penalty).fit(x[fitted], np.log(y[fitted]))
    forecast = np.exp(model.predict(x))
    return qlike_rows(y[scored], forecast[scored] * float((y[fitted] / forecast[fitted]).mean()))


def direction_loss(x: np.ndarray, fitted: np.ndarray, scored: np.ndarray, penalty: float, y: np.ndarray) -> np.ndarray:
    """Return the log loss of each scored row."""
    model = LogisticRegression(C=1.0 / penalty, max_iter=200).fit(x[fitted], y[fitted])
    return -np.log(np.maximum(model.predict_proba(x[scored])[np.arange(scored.sum()), y[scored]], 1e-12))


def by_day(values: np.ndarray, days: np.ndarray) -> tuple[float, float]:
    """Return the mean of rows and its standard error, clustered by day."""
    _, place = np.unique(days, return_inverse=True)
    sums, rows = np.bincount(place, values), np.bincount(place).astype(float)
    mean, error = day_jackknife(lambda s, n: s / n, (sums, rows), HORIZON - 1)
    return float(mean), float(error)


if __name__ == "__main__":
    main()
