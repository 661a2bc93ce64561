"""From tables of a walk-forward run to a view, and a backtest of what is decided on it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs.errors import DataError
from configs.strategy import StrategyConfig
from features.bars.schema import SymbolBars
from features.labels import bar_variance, ewma_volatility
from training.strategy.pipeline import decide
from training.strategy.view_builder import read_view
from training.validation import Costs, simulate


@pytest.fixture(scope="module")
def tables(random_market):
    market = random_market(0, days=160, symbols=3)
    rows, columns = np.nonzero(market.has_bar & (np.arange(160) >= 100)[:, None])
    keys = {"symbol": [market.symbols[c] for c in columns], "date": market.dates[rows]}
    n = len(rows)
    direction = pd.DataFrame({**keys, "window": 0, "p_down": 0.3, "p_sideways": 0.3, "p_up": 0.4, "label": 1})
    volatility = pd.DataFrame({**keys, "forecast": 1e-4, "low": 5e-5, "high": np.linspace(1e-4, 3e-4, n)})
    return market, direction, volatility


def test_forecasts_are_placed_by_symbol_and_date(tables):
    market, direction, volatility = tables
    view = read_view(market, pa.Table.from_pandas(direction, preserve_index=False), volatility.sample(frac=1.0))
    assert view.first_forecast == 100 and view.shape == market.shape
    np.testing.assert_array_equal(view.has_direction, market.has_bar & (np.arange(160) >= 100)[:, None])
    row = volatility.iloc[-1]
    assert view.variance_high[-1, market.symbols.index(row["symbol"])] == row["high"]
    assert view.bars_per_year.tolist() == pytest.approx([252.0] * 3, rel=0.05)


def test_volatility_is_that_of_the_features(tables):
    market, direction, _ = tables
    view = read_view(market, direction)
    own = market.has_bar[:, 0]
    o, h, low, c, v = (getattr(market, n)[own, 0] for n in ("open", "high", "low", "close", "volume"))
    variance = bar_variance(SymbolBars("S0", market.dates[own], o, h, low, c, v, True, True))
    np.testing.assert_allclose(view.bar_variance[own, 0], variance)
    np.testing.assert_allclose(view.ewma_vol[own, 0], ewma_volatility(variance, 0.94))
    assert np.isnan(view.ewma_vol[~own, 0]).all() and not view.has_volatility.any()
    np.testing.assert_allclose(view.band[own, 0], 0.43 * view.ewma_vol[own, 0])


def test_decisions_are_traded_as_they_are(tables):
    market, _, volatility = tables
    made = decide(
        read_view(market, volatility=volatility), StrategyConfig(caps={"name": 0.5}, stops={"touch_probability": 0.1})
    )
    result = simulate(market, made.targets(), Costs(half_spread_bps=2), unit="weight", stops=made.stop_levels())
    assert len(result.fills.quantity) and result.equity.iloc[-1] > 0
    share = result.held * market.mark / result.equity.to_numpy()[:, None]
    closed = made.path.held == 0.0
    assert (made.path.waiting > 0).any()
    # What is predicted is held, up to costs and the gap between a decision and its fill; stops close the same days.
    np.testing.assert_array_equal(share[101:] == 0.0, closed[1:])
    # Without a bar, an order waits for the next one.
    assert (np.abs(share[101:] - made.path.held[1:]) < np.where(market.has_bar[101:], 0.01, 0.1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="p_up"), "lack the columns p_up"),
        (lambda d: pd.concat([d, d.iloc[:1]]), "twice"),
        (lambda d: d.assign(symbol="X"), "have X on"),
        (lambda d: d.assign(date=d["date"] + pd.Timedelta(days=9999)), "of which the market has no bar"),
        (lambda d: d.assign(p_up=0.9), "sum of 1"),
        (lambda d: d.assign(p_up=np.nan), "sum of 1"),
    ],
)
def test_wrong_tables_are_refused(tables, change, message):
    market, direction, _ = tables
    with pytest.raises(DataError, match=message):
        read_view(market, change(direction))


def test_no_table_is_refused(tables):
    with pytest.raises(DataError, match="both tables are None"):
        read_view(tables[0])
