"""One step of the bot: a pure function of what was before, the bars and the forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from configs.errors import BotError
from configs.schema import Config
from features.bars.period import bar_period
from serving.bot import report
from serving.bot.account_terms import terms_of
from serving.bot.basis import Rebased, rebased
from serving.bot.broker import Broker
from serving.bot.closing import AtClose, at_close, units_to_hold
from serving.bot.orders import When, book_fills, new_orders
from serving.bot.paper import PaperBroker
from serving.bot.profits import profits_after
from serving.bot.protections import ORDERS, Close, ProtectionState, protect
from serving.bot.record import Record
from serving.bot.restraint import Restrained, restrain
from serving.bot.state import BotState, empty_numbers
from serving.bot.step_result import StepResult
from serving.bot.terms import extended, setting_at, with_years
from training.strategy.decision_frames import Decisions
from training.strategy.follow import Bars, through_bar
from training.strategy.pipeline import decide
from training.strategy.series import Float, Mask
from training.validation.backtest.market import Market


def open_state(
    bot: str,
    bars: Market,
    config: Config,
    *,
    bars_per_year: float | None = None,
    own: Mapping[str, float] | None = None,
) -> BotState:
    """Return the state of a bot whose first step is that of the newest bar.

    Parameters
    ----------
    bars_per_year, own
        By which yearly interest on cash, and yearly fees for borrowing each symbol, are divided from now on; by
        default, those of the bars.
    """
    cash = config.backtest.cash
    if bars_per_year is None:
        bars_per_year = float(bar_period(bars.dates.astype("datetime64[ns]")).bars_per_year)
    numbers, dates = empty_numbers(len(bars.symbols))
    numbers["bars_per_year"] = np.array([(own or {}).get(name, np.nan) for name in bars.symbols], dtype=np.float64)
    return BotState(
        bot=bot,
        started=bars.dates[-1].astype("datetime64[ns]"),
        instant=None,
        date=None,
        bars_per_year=bars_per_year,
        cash=cash,
        starting_cash=cash,
        interest=0.0,
        is_closing=False,
        symbols=bars.symbols,
        numbers=numbers,
        dates=dates,
        protection=ProtectionState.of(cash),
        terms=terms_of(config),
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
    state = with_years(moved.state, bars)
    setting = setting_at(bars, state, config)
    closed = at_close(state, setting, PaperBroker(setting, state.account) if broker is None else broker, instant)
    decisions = _decided(state, bars, record, config, ~np.isnan(setting.delisting))
    protection, verdict = protect(
        state.protection,
        Close(str(date.astype("datetime64[D]")), closed.equity, sum(f.kind == "stop" for f in closed.statement.fills)),
        config.bot.protections,
        kill_switch,
    )
    weights = np.where(decisions.path.is_unchanged[0], np.nan, decisions.weights[0])
    units, locked = units_to_hold(weights, closed, setting)
    left = restrain(units, closed.position, closed.worth, verdict, config.bot.protections.max_orders)
    protection = replace(protection, active=(*verdict.stopped, *((ORDERS,) if left.dropped else ())))
    booked = book_fills(state, closed.statement.fills, when)
    after = _after(state, bars, closed, decisions, left, locked, protection, date, instant)
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
        planned=report.planned(state, closed),
        orders=orders,
        order_rows=tuple({row["id"]: row for row in (*booked.order_rows, *rows)}.values()),
        fill_rows=booked.fill_rows,
        position_rows=report.positions(after, closed.value, setting.market.mark[-1], when),
        account_row=report.account(after, closed.value, when),
        alerts=report.alerts(state.protection.active, verdict, left),
        notes=report.notes(after, verdict, moved, left),
    )


def _decided(state: BotState, bars: Market, record: Record, config: Config, settled: Mask) -> Decisions:
    view = record.view(bars, config.strategy)
    held = None
    if state.date is not None:
        prices = Bars(view.open, view.high, view.low, view.close, view.close_before)
        held = through_bar(state.decided, prices, len(view.dates) - 1, config.strategy.stops.wait)
        held = held._replace(filled=np.where(settled, 0.0, held.filled))
    return decide(view, config.strategy, held=held, first=-1)


def _after(
    state: BotState,
    bars: Market,
    closed: AtClose,
    decisions: Decisions,
    left: Restrained,
    locked: Float,
    protection: ProtectionState,
    date: np.datetime64,
    instant: datetime,
) -> BotState:
    """Return the state after the decisions; its open orders are still those before them."""
    decided, profits = decisions.state_after(), profits_after(state, closed.statement)
    weight, stop, take = decided.weights.copy(), decided.stops.copy(), decided.take_profits.copy()
    for s in left.reasons:  # the strategy goes on from what is really held
        weight[s] = left.wanted[s] * closed.worth[s] / closed.equity if closed.equity > 0.0 else 0.0
        if weight[s] == 0.0:
            stop[s] = take[s] = np.nan
    has_bar = np.isfinite(bars.close[-1])
    one = state.numbers
    return replace(
        state,
        instant=instant,
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
            "filled": decided.filled,
            "close": np.where(has_bar, bars.close[-1], one["close"]),
            "close_before": np.where(has_bar, one["close"], one["close_before"]),
            **profits._asdict(),
            "bars_per_year": one["bars_per_year"],
        },
        dates={
            "date": np.where(has_bar, date, state.dates["date"]),
            "date_before": np.where(has_bar, state.dates["date"], state.dates["date_before"]),
        },
        protection=protection,
    )


def _checked(state: BotState, bars: Market, instant: datetime) -> np.datetime64:
    """Return the date of the newest bar."""
    if instant.utcoffset() is None:
        raise BotError(f"the instant {instant} of a step has no zone. Give an aware one, such as in UTC.")
    dates = bars.dates.astype("datetime64[ns]")
    date = dates[-1]
    if state.date is None:
        if date != state.started:
            raise BotError(f"the bot begins with the bar of {_day(state.started)}; the newest bar is of {_day(date)}.")
        return np.datetime64(date)
    if date <= state.date:
        raise BotError(f"the step of the bar of {_day(date)} is made already: the newest one is of {_day(state.date)}.")
    if len(dates) > 1 and dates[-2] > state.date:
        raise BotError(
            f"the newest step is of the bar of {_day(state.date)}, and there is one of {_day(dates[-2])} before "
            f"that of {_day(date)}. Make its step first."
        )
    return np.datetime64(date)


def _day(date: np.datetime64) -> str:
    return str(date.astype("datetime64[m]")).replace("T00:00", "")
