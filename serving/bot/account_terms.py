"""The terms of a bot's account: what its money means and costs, stored with its state; a change is refused.

Positions and cash are numbers; their currency, the units of a contract and the costs of trading are settings. Under
other settings the same numbers would be other money, so a bot goes on only under the terms that it has, or under those
that its user accepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from configs.backtest import CostConfig
from configs.errors import ConfigError, shortened
from configs.schema import Config
from serving.bot.state import BotState
from serving.journal.outcomes import current_name
from training.validation.backtest.presets import preset

_FIXED = ("backtest.cash", "backtest.account_currency")
_FIXED_WHILE_HELD = ("backtest.currency", "backtest.costs.multiplier", "backtest.costs.financed")
_SHOWN = 3


class TermChange(NamedTuple):
    """A setting that ``was`` one value and ``now`` is another; of ``symbols``, or of the account if there are none."""

    setting: str
    symbols: tuple[str, ...]
    was: Any
    now: Any

    def __str__(self) -> str:
        """Return it in words."""
        of = f" of {shortened(self.symbols, _SHOWN)}" if self.symbols else ""
        return f"{self.setting}{of} was {_shown(self.was)} and is now {_shown(self.now)}"


def terms_of(config: Config) -> dict[str, Any]:
    """Return the terms of an account as plain JSON."""
    part = config.backtest.model_dump(mode="json")
    return {name: part[name] for name in ("cash", "account_currency", "currency", "fill", "costs")}


def agreed(state: BotState, config: Config, *, accept: bool = False) -> tuple[BotState, tuple[TermChange, ...]]:
    """Return the state under the terms of the settings, and what changed since the step that it is of.

    A state without terms, which an older Fleetcast wrote, gets those of the settings. Terms of symbols that the account
    does not know yet are free.

    Parameters
    ----------
    accept
        Whether other costs, lots and prices of fills are taken over from the next step on. The money at the start, the
        account's currency, and currency and contract units of symbols that are held never are.

    Raises
    ------
    ConfigError
        The terms are others, and may or need not be accepted.
    """
    present = terms_of(config)
    if state.terms is None or state.terms == present:
        return replace(state, terms=present), ()
    names = config.journal.renamed
    found = _changes(state, present, names)
    fixed = [one for one in found if _is_fixed(one, _held(state, names))]
    other_bot = f"begin a bot with another name, such as --set bot.name={state.bot}-2"
    if fixed:
        raise ConfigError(
            f"{_listed(fixed)}, and the account of bot {state.bot} cannot change it. Set the former value, or "
            f"{other_bot}."
        )
    if found and not accept:
        raise ConfigError(
            f"{_listed(found)}, and bot {state.bot} trades an account with the former terms. Set the former value, "
            f"{other_bot}, or give --accept-terms once: the change then holds from the next bar on."
        )
    return replace(state, terms=present), tuple(found)


def _changes(state: BotState, present: Mapping[str, Any], names: Mapping[str, str]) -> list[TermChange]:
    before, after = (_by_setting(one, state, names) for one in (state.terms or {}, present))
    found = list[TermChange]()
    for setting, values in after.items():
        changed = dict[tuple[str, str], list[str]]()
        pairs = dict[tuple[str, str], tuple[Any, Any]]()
        for symbol, value in values.items():
            old = before[setting][symbol]
            if old != value:
                key = repr(old), repr(value)
                changed.setdefault(key, []).append(symbol)
                pairs[key] = old, value
        for key, some in changed.items():
            of = () if len(some) == len(values) else tuple(some)
            found.append(TermChange(setting, of, *pairs[key]))
    return found


def _by_setting(terms: Mapping[str, Any], state: BotState, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the value of each setting by symbol; that of the account has the symbol ``""``."""
    costs = CostConfig.model_validate(terms["costs"])
    usual = preset(costs.preset, state.bars_per_year)
    symbols = [current_name(symbol, names) for symbol in state.symbols]
    found = {f"backtest.{name}": {"": terms[name]} for name in ("cash", "account_currency", "fill")}
    own = _of_present_names(terms["currency"], names)
    found["backtest.currency"] = {symbol: own.get(symbol, terms["account_currency"]) for symbol in symbols}
    for name in CostConfig.model_fields:
        if name == "preset":
            continue
        given, standard = getattr(costs, name), getattr(usual, name)
        if isinstance(given, Mapping):
            own = _of_present_names(given, names)
            values = {symbol: own.get(symbol, standard) for symbol in symbols}
        else:
            values = dict.fromkeys(symbols, standard if given is None else given)
        found[f"backtest.costs.{name}"] = values
    return found


def _of_present_names(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {current_name(symbol, names): value for symbol, value in values.items()}


def _held(state: BotState, names: Mapping[str, str]) -> set[str]:
    is_held = (state.numbers["position"] != 0.0) | (state.numbers["wanted"] != 0.0)
    return {current_name(name, names) for name, held in zip(state.symbols, is_held.tolist(), strict=True) if held}


def _is_fixed(change: TermChange, held: set[str]) -> bool:
    if change.setting in _FIXED_WHILE_HELD:
        return bool(held.intersection(change.symbols) if change.symbols else held)
    return change.setting in _FIXED


def _listed(changes: Sequence[TermChange]) -> str:
    more = len(changes) - _SHOWN
    return "; ".join(map(str, changes[:_SHOWN])) + (f"; and {more} more" if more > 0 else "")


def _shown(value: Any) -> str:
    return f"{value:,.12g}" if isinstance(value, float | int) and not isinstance(value, bool) else str(value)
