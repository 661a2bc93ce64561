"""Print the outcome of ``fleetcast backtest``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from cluster.views.backtest_tables import accounts_table, added_table, capacity_table, costs_table
from cluster.views.console import make_console
from configs.words import counted
from features.store.store import Store
from training.backtesting.monte_carlo import MonteCarlo
from training.backtesting.result import BacktestResult
from training.backtesting.statements import added, unchanged, why


def show_backtest(result: BacktestResult, store: Store, as_json: bool) -> None:
    """Print the tables of a backtest, and last whether it could be luck; or one JSON document."""
    if as_json:
        found = result.to_json() | {"model_added": list(added(result)), "store": store.uri}
        print(json.dumps(found, allow_nan=False))
        return
    console = make_console()
    for part in render_backtest(result):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))


def render_backtest(result: BacktestResult) -> Iterator[RenderableType]:
    """Yield the tables and sentences of a backtest; the last say what models added, and whether it could be luck."""
    dates, market = result.simulation.dates, result.simulation.market
    symbols = counted(len(market.symbols), "symbol")
    yield Text(f"\n{result.config.strategy.name} on {result.title}", style="bold")
    yield Text(
        f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}, {counted(len(dates), 'bar')} of {symbols}, "
        f"{result.bars_per_year:g} a year; costs: {result.config.backtest.costs.preset}"
    )
    yield accounts_table(result)
    yield Text(_interval(result))
    yield Text("")
    yield added_table(result)
    yield from (
        Text(one.replace("not the model", "not the model (strategy.caps, strategy.filter)"))
        for one in unchanged(result)
    )
    for title, reason in result.missing.items():
        yield Text(f"without {title}: {reason}")
    yield from (Text(sentence.replace("-", "−")) for sentence in _worth(result))
    if result.num_trades:
        yield Text("")
        yield costs_table(result)
        yield Text(_break_even(result))
        yield Text("")
        yield capacity_table(result)
    yield Text("")
    yield Text(why(result))
    if result.simulated is not None:
        yield from map(Text, _simulated(result.simulated))
    for note in (*result.notes, *result.simulation.notes):
        yield Text(f"note: {note}")
    yield Text("")
    if math.isfinite(result.judgement.probabilistic):
        yield Text(_alone(result))
    yield from (Text(sentence, style="bold") for sentence in (*added(result), result.sentence))


def _interval(result: BacktestResult) -> str:
    if not math.isfinite(result.sharpe_ratio):
        return "the strategy's return does not vary, so it has no Sharpe ratio"
    ends, mass = result.intervals[["low", "high"]].astype(float), result.config.backtest.confidence
    low, high = ends.loc["sharpe"]
    deep, flat = ends.loc["max_drawdown"]
    return (
        f"by block bootstrap, {mass:.0%} of Sharpe ratios are between {low:.2f} and {high:.2f}, and of largest "
        f"drawdowns between {deep:.1%} and {flat:.1%}"
    ).replace("-", "−")


def _alone(result: BacktestResult) -> str:
    """Return what the record says of itself, with the number of trials that it does not know of."""
    found, year = result.judgement, result.bars_per_year
    bars = found.needed_bars
    needed = f"{bars / year:,.1f} years of it would show one" if math.isfinite(bars) else "no length of it shows one"
    trials = found.deflated.trials
    alone = f"if it were the only one of {counted(trials, 'trial')}" if trials > 1 else "as the only trial"
    # Rounding to 100% would promise certainty.
    shown = "over 99%" if found.probabilistic > 0.99 else f"{found.probabilistic:.0%}"
    return f"{alone}, the probability of a true Sharpe above 0 is {shown} (PSR); {needed}"


def _worth(result: BacktestResult) -> Iterator[str]:
    found = result.economic
    if found is None:
        return
    several = "; several symbols together have less than each" if len(result.simulation.market.symbols) > 1 else ""
    yield (
        f"equal shares of all symbols, each scaled to a volatility of 10%, had {found.volatility:.1%} with the model "
        f"and {found.volatility_ewma:.1%} with the EWMA{several}"
    )
    if math.isfinite(found.gain.value):
        yield (
            f"realised utility {found.utility:.2%} a year (EWMA {found.utility_ewma:.2%}, perfect 4.00%): the model "
            f"adds {found.gain.value * 1e4:+.1f} ± {found.gain.se * 1e4:.1f} bps"
        )
    fees = " and ".join(
        f"{fee.value * 1e4:+.0f} ± {fee.se * 1e4:.0f} bps at risk aversion {a}" for a, fee in found.fees.items()
    )
    yield f"fee a year that is worth paying for the model instead of the EWMA: {fees}"


def _break_even(result: BacktestResult) -> str:
    limit = result.simulation.break_even_bps
    if not limit > 0:
        return "there is no gross profit to pay costs from"
    return f"costs of {limit:.1f} bps of the traded value would use up the gross profit"


def _simulated(found: MonteCarlo) -> Iterator[str]:
    yield f"\nMonte Carlo, {counted(found.simulations, 'simulation')} of each kind:"
    if found.timing_p_value is not None and math.isfinite(found.timing_p_value):
        yield (
            f"  the same positions at other times: Sharpe {_range(found.timing)}; p-value of the strategy's "
            f"{found.timing_p_value:.3f}"
        )
    yield f"  the same returns in other orders: largest drawdown {_range(found.drawdowns, percent=True)}"
    for title, one in (("noisy prices", found.noise), ("other costs and settings", found.perturbed)):
        if one and one["sharpe"].get("50%") is not None:
            yield f"  {title}: Sharpe {_range(one['sharpe'])}, a loss in {one['total_return']['below_zero']:.0%}"
    for title, reason in found.missing.items():
        yield f"  {title}: {reason}"


def _range(quantiles: dict[str, float], percent: bool = False) -> str:
    if not quantiles:
        return "unknown"
    ends = (quantiles[name] for name in ("5%", "50%", "95%"))
    low, middle, high = (f"{value:.1%}" if percent else f"{value:.2f}" for value in ends)
    return f"{middle} ({low} to {high})".replace("-", "−")
