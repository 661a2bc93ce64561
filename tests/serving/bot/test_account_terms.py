"""The terms of an account: a change is one error before anything is written, or an accepted one with a date."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from configs.errors import ConfigError
from configs.schema import Config
from serving.bot.account_terms import agreed, terms_of
from serving.bot.protections import ProtectionState
from serving.bot.state import BotState, empty_numbers
from serving.journal.schema import metadata, steps


def config_of(renamed: dict[str, str] | None = None, **backtest) -> Config:
    return Config.model_validate({"backtest": backtest, "journal": {"renamed": renamed or {}}})


def state_of(config: Config) -> BotState:
    """Return the state of an account that holds AAA and has seen BBB."""
    numbers, dates = empty_numbers(2)
    numbers["position"][0] = 10.0
    return BotState(
        bot="paper",
        started=np.datetime64("2026-01-02", "ns"),
        instant=None,
        date=None,
        bars_per_year=252.0,
        cash=5.0,
        starting_cash=5.0,
        interest=0.0,
        is_closing=False,
        symbols=("AAA", "BBB"),
        numbers=numbers,
        dates=dates,
        protection=ProtectionState.of(5.0),
        terms=terms_of(config),
    )


USUAL = config_of(currency={"AAA": "EUR"}, account_currency="USD")
OWN = {"currency": {"AAA": "EUR"}, "account_currency": "USD"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**OWN, "cash": 5.0}, "backtest.cash was 1,000,000 and is now 5, and the account of bot paper cannot"),
        ({**OWN, "account_currency": "JPY"}, "backtest.account_currency was USD and is now JPY"),
        ({"account_currency": "USD"}, "backtest.currency of AAA was EUR and is now USD"),
        ({**OWN, "costs": {"multiplier": {"AAA": 50.0}}}, "backtest.costs.multiplier of AAA was 1 and is now 50"),
        ({**OWN, "costs": {"preset": "futures"}}, "backtest.costs.financed was True and is now False"),
    ],
)
@pytest.mark.parametrize("accept", [False, True])
def test_what_the_money_is_cannot_be_changed(settings, message, accept):
    with pytest.raises(ConfigError) as refused:
        agreed(state_of(USUAL), config_of(**settings), accept=accept)
    assert message in str(refused.value) and "--set bot.name=paper-2" in str(refused.value)
    assert "--accept-terms" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**OWN, "fill": "close"}, "backtest.fill was open and is now close"),
        ({**OWN, "costs": {"lot": 100}}, "backtest.costs.lot was 1 and is now 100"),
        ({**OWN, "costs": {"commission_bps": {"BBB": 3.0}}}, "backtest.costs.commission_bps of BBB was 0 and is now 3"),
        ({**OWN, "costs": {"preset": "crypto"}}, "; and 6 more, and bot paper trades an account"),
        ({**OWN, "currency": {"AAA": "EUR", "BBB": "GBP"}}, "backtest.currency of BBB was USD and is now GBP"),
    ],
)
def test_costs_are_changed_if_that_is_accepted(settings, message):
    state, config = state_of(USUAL), config_of(**settings)
    with pytest.raises(ConfigError) as refused:
        agreed(state, config)
    assert message in str(refused.value) and "--accept-terms once" in str(refused.value)
    after, changes = agreed(state, config, accept=True)
    assert changes and after.terms == terms_of(config) and after.cash == state.cash
    assert agreed(after, config)[1] == ()


@pytest.mark.parametrize(
    "settings",
    [
        {**OWN, "costs": {"lot": 1.0, "commission_min": {"AAA": 1.0}}},
        {**OWN, "currency": {"AAA": "EUR", "NEW": "GBP"}},
        {**OWN, "simulations": 3, "start": "2020-01-01"},
        {"account_currency": "USD", "currency": {"ZZZ": "EUR"}, "renamed": {"AAA": "ZZZ"}},
    ],
    ids=["the same figures", "a symbol that is new", "settings of backtests", "a symbol with another name"],
)
def test_the_same_money_in_other_words_is_no_change(settings):
    _, changes = agreed(state_of(USUAL), config_of(**settings))
    assert changes == ()


def test_a_state_of_an_older_version_gets_the_present_terms():
    state, changes = agreed(replace(state_of(USUAL), terms=None), config_of(cash=7.0))
    assert state.terms == terms_of(config_of(cash=7.0)) and changes == ()
    old = state_of(USUAL).as_json()
    del old["terms"]
    assert BotState.of_json(old).terms is None


def counts(bot) -> dict[str, int]:
    with bot.journal.connect() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


@pytest.mark.slow
def test_a_bot_writes_nothing_under_other_terms_and_dates_a_change_that_is_accepted(make_bot, grow, journal_url):
    where = {"database": journal_url}
    bot = make_bot(more=where)
    bot.run_scan()
    grow(481)
    before = counts(bot)
    sections = {"backtest": {"costs": {"lot": 50.0}}}
    other = make_bot(sections=sections, more=where)
    with pytest.raises(ConfigError, match=r"backtest.costs.lot was 1 and is now 50"):
        other.run_scan()
    assert counts(other) == before
    make_bot(sections=sections, more={**where, "accept_terms": True}).run_scan()
    with bot.journal.connect() as connection:
        notes = connection.execute(select(steps.c.notes).order_by(steps.c.instant)).scalars().all()
    assert [one.get("terms") for one in notes] == [
        None,
        [{"setting": "backtest.costs.lot", "symbols": [], "was": 1, "now": 50.0}],
    ]
    grow(482)
    make_bot(sections=sections, more=where).run_scan()
    with pytest.raises(ConfigError, match=r"backtest.costs.lot was 50 and is now 1,"):
        bot.run_scan()
