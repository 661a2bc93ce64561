"""One step of the bot: a pure function of what was before, the bars and the forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from configs.errors import BotError
from configs.schema import Config
from features.bars.period import bar_period
from serving.bot import report
from serving.bot.basis import Rebased, rebased
from serving.bot.broker import Broker, Statement
from serving.bot.guard import ORDERS, Close, Guard, protect
from serving.bot.orders import When, book_fills, new_orders
from serving.bot.paper import PaperBroker
from serving.bot.profits import profits_after
from serving.bot.record import Record
from serving.bot.restraint import Restrained, restrain
from serving.bot.result import StepResult
from serving.bot.state import BotState, empty_numbers
from serving.bot.terms import extended, setting_at
from training.strategy.decisions import Decisions
from training.strategy.follow import Bars, through_bar
from training.strategy.pipeline import decide
from training.strategy.series import Float
from training.validation.backtest.market import Market
from training.validation.backtest.setting import Setting
from training.validation.backtest.terms import on
from training.validation.backtest.units import unlocked, wanted_units


def open_state(bot: str, bars: Market, config: Config, *, bars_per_year: float | None = None) -> BotState:
    """Return the state of a bot whose first step is that of the newest bar.

    Parameters
    ----------
    bars_per_year
        By which yearly costs are divided for ever; by default, that of the bars.
    """
    cash = config.backtest.cash
    if bars_per_year is None:
        bars_per_year = float(bar_period(bars.dates.astype("datetime64[ns]")).bars_per_year)
    numbers, dates = empty_numbers(len(bars.symbols))
    return BotState(
        bot=bot,
        started=bars.dates[-1].astype("datetime64[ns]"),
        date=None,
        bars_per_year=bars_per_year,
        cash=cash,
        starting_cash=cash,
        interest=0.0,
        is_closing=False,
        symbols=bars.symbols,
        numbers=numbers,
        dates=dates,
        guard=Guard.of(cash),
    )


def step(
    state: BotState,
    bars: Market,
    record: Record,
    config: Config,
    instant: datetime,
    *,
    broker: Broker | None = None,
    kill_switch: str | None = None,
) -> StepResult:
    """Return all that follows from the close of the newest bar.

    Fills of the orders decided before, stops and targets reached in the bar, signals, new orders, positions and the
    account; nothing is written. The same arguments give the same result, bit for bit. Without protections, the account
    is that of a backtest of the same forecasts.

    Parameters
    ----------
    state
        That of the step before, or of :func:`open_state`.
    bars
        All closed bars up to the instant, from before the first forecast on; the last row is the bar of this step, and
        the row before it that of the step before.
    record
        All forecasts up to this bar.
    instant
        When the bar closed (aware).
    broker
        The account; by default the paper broker, which is part of ``state``.
    kill_switch
        The content of the file of the kill switch; None if there is none.

    Raises
    ------
    BotError
        Steps of earlier bars are missing, or the bar's step is in ``state`` already.
    ConfigError
        The strategy or the account cannot be used as configured.
    """
    date = _checked(state, bars, instant)
    when = When(state.bot, instant, date.astype("datetime64[us]").item().replace(tzinfo=UTC))
    state = state.on(bars.symbols)
    bars = extended(bars, state.symbols)
    moved = rebased(state, bars) if broker is None else Rebased(state, {}, ())
    state = moved.state
    setting = setting_at(bars, state, config)
    closed = _closed(state, setting, PaperBroker(setting, state.account) if broker is None else broker)
    decisions = _decided(state, bars, record, config)
    guard, verdict = protect(
        state.guard,
        Close(str(date.astype("datetime64[D]")), closed.equity, sum(f.kind == "stop" for f in closed.statement.fills)),
        config.bot.protections,
        kill_switch,
    )
    weights = np.where(decisions.path.kept[0], np.nan, decisions.weights[0])
    units, locked = _units(weights, closed, setting)
    left = restrain(units, closed.position, closed.worth, verdict, config.bot.protections.max_orders)
    guard = replace(guard, active=(*verdict.stopped, *((ORDERS,) if left.dropped else ())))
    booked = book_fills(state, closed.statement.fills, closed.position, closed.wanted, when)
    after = _after(state, bars, closed, decisions, left, locked, guard, date)
    changed = ~np.isnan(weights) | (left.wanted != units)
    orders, rows, is_open = new_orders(after, booked.open, changed, left.reasons, when)
    after = replace(after, orders=is_open)
    return StepResult(
        bot=state.bot,
        instant=instant,
        bar_date=when.bar_date,
        strategy=config.strategy.name,
        state=after,
        signals=report.signals(decisions, after, left),
        orders=orders,
        order_rows=(*booked.order_rows, *rows),
        fill_rows=booked.fill_rows,
        position_rows=report.positions(after, closed.value, setting.market.mark[-1], when),
        account_row=report.account(after, closed.value, when),
        alerts=report.alerts(state.guard.active, verdict, left),
        notes=report.notes(after, verdict, moved, left),
    )


@dataclass(frozen=True, eq=False)
class _Closed:
    """The account at the close, before decisions; arrays are (S,). ``worth`` is what a unit is worth."""

    statement: Statement
    position: Float
    cash: float
    worth: Float
    value: Float
    equity: float
    wanted: Float
    locked: Float
    is_closing: bool


def _closed(state: BotState, setting: Setting, broker: Broker) -> _Closed:
    statement = broker.statement()
    held, cash = broker.positions(), broker.cash()
    position = np.array([held.get(name, 0.0) for name in state.symbols])
    worth = setting.mark_value[-1]
    value = position * worth
    equity = cash + float(value.sum())
    wanted, locked = state.numbers["wanted"].copy(), state.numbers["locked"].copy()
    place = {name: s for s, name in enumerate(state.symbols)}
    for fill in statement.fills:
        if fill.kind in ("stop", "take_profit"):
            wanted[place[fill.symbol]], locked[place[fill.symbol]] = 0.0, -np.sign(fill.quantity)
    ruined = state.is_closing or equity <= 0.0
    return _Closed(statement, position, cash, worth, value, equity, wanted, locked, ruined)


def _decided(state: BotState, bars: Market, record: Record, config: Config) -> Decisions:
    view = record.view(bars, config.strategy)
    held = None
    if state.date is not None:
        prices = Bars(view.open, view.high, view.low, view.close, view.close_before)
        held = through_bar(state.decided, prices, len(view.dates) - 1, config.strategy.stops.wait)
    return decide(view, config.strategy, held=held, first=-1)


def _units(weights: Float, closed: _Closed, setting: Setting) -> tuple[Float, Float]:
    """Return units to hold and locks (S,), as an account decides them."""
    if closed.is_closing:
        return np.zeros_like(closed.wanted), closed.locked
    lot = None if setting.terms.lot is None else on(setting.terms.lot, len(setting.market.dates) - 1)
    units = wanted_units(weights, (closed.equity, np.where(closed.worth > 0, closed.worth, 1.0)), lot)
    locked = closed.locked
    if setting.levels is not None:
        units, locked = unlocked(weights, units, locked)
    return np.where(np.isnan(weights), closed.wanted, units), locked


def _after(
    state: BotState,
    bars: Market,
    closed: _Closed,
    decisions: Decisions,
    left: Restrained,
    locked: Float,
    guard: Guard,
    date: np.datetime64,
) -> BotState:
    """Return the state after the decisions; its open orders are still those before them."""
    decided, profits = decisions.decided(), profits_after(state, closed.statement)
    weight, stop, take = decided.weights.copy(), decided.stops.copy(), decided.take_profits.copy()
    for s in left.reasons:  # the strategy goes on from what is really held
        weight[s] = left.wanted[s] * closed.worth[s] / closed.equity if closed.equity > 0.0 else 0.0
        if weight[s] == 0.0:
            stop[s] = take[s] = np.nan
    has_bar = np.isfinite(bars.close[-1])
    one = state.numbers
    return replace(
        state,
        date=date,
        cash=closed.cash,
        interest=state.interest + closed.statement.interest,
        is_closing=closed.is_closing,
        numbers={
            "position": closed.position,
            "wanted": left.wanted,
            "locked": locked,
            "weight": weight,
            "stop": stop,
            "take_profit": take,
            "waiting": decided.waiting.astype(np.float64),
            "close": np.where(has_bar, bars.close[-1], one["close"]),
            "close_before": np.where(has_bar, one["close"], one["close_before"]),
            **profits._asdict(),
        },
        dates={
            "date": np.where(has_bar, date, state.dates["date"]),
            "date_before": np.where(has_bar, state.dates["date"], state.dates["date_before"]),
        },
        guard=guard,
    )


def _checked(state: BotState, bars: Market, instant: datetime) -> np.datetime64:
    """Return the date of the newest bar."""
    if instant.utcoffset() is None:
        raise BotError(f"the instant {instant} of a step has no zone. Give an aware one, such as in UTC.")
    dates = bars.dates.astype("datetime64[ns]")
    date = dates[-1]
    if state.date is None:
        if date != state.started:
            raise BotError(f"the bot begins with the bar of {state.started}; the newest bar is of {date}.")
        return np.datetime64(date)
    if date <= state.date:
        raise BotError(f"the step of the bar of {date} is made already: the newest one is of {state.date}.")
    if len(dates) > 1 and dates[-2] > state.date:
        raise BotError(
            f"the newest step is of the bar of {state.date}, and there is one of {dates[-2]} before that of {date}. "
            "Make its step first."
        )
    return np.datetime64(date)
