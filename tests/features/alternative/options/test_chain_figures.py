"""Daily figures of chains with known answers, and quotes that are not used, with their reasons."""

import numpy as np
import pandas as pd
import pytest
from option_chains import chain_of
from scipy.special import ndtr

from features.alternative.checks import ReadingOptions
from features.alternative.options.figures import ChainFigures, chain_figures
from features.alternative.read_texts import read_chain
from features.alternative.user_files import renamed
from features.store.parquet import to_frame

OPTIONS = ReadingOptions("mine", np.datetime64("2026-06-01", "ns"))


def figures_of(chain: pd.DataFrame) -> ChainFigures:
    return chain_figures(to_frame(read_chain(chain, OPTIONS).rows))


def newest(chain: pd.DataFrame) -> dict[str, float]:
    rows = figures_of(chain).rows
    return dict(zip(rows["series"], rows["value"], strict=True))


def surface(x: np.ndarray, years: np.ndarray) -> np.ndarray:
    """A volatility with a term structure whose total variance is linear in time, and a smile in x/√T."""
    level = np.sqrt((0.002 + 0.05 * years) / years)
    return level - 0.05 * x / np.sqrt(years) + 0.03 * x * x / years


def test_a_flat_surface_is_recovered_to_rounding_without_a_price_of_the_underlying():
    found = figures_of(chain_of(volatility=0.25))
    values = dict(zip(found.rows["series"], found.rows["value"], strict=True))
    assert values["iv30"] == pytest.approx(0.25, abs=1e-8)
    assert (values["skew"], values["term_slope"]) == pytest.approx((0.0, 0.0), abs=1e-8)
    assert found.forwards == {"parity": 5} and (values["chain_quotes"], values["iv_quotes"]) == (330.0, 165.0)
    assert set(found.rows["source"]) == {"mine (implied 1)"}
    assert set(found.rows["known_from"]) == {pd.Timestamp("2024-04-05T20:00Z")}
    assert set(found.rows["period"]) == {pd.Timestamp("2024-04-05")}


def test_skew_and_term_slope_of_a_surface():
    values = newest(chain_of(volatility=surface, strikes=np.arange(60.0, 141.0, 1.0)))
    near, far = (np.sqrt((0.002 + 0.05 * t) / t) for t in (30 / 365, 90 / 365))
    assert values["iv30"] == pytest.approx(near, abs=2e-4)
    assert values["term_slope"] == pytest.approx(far - near, abs=3e-4)
    years, x = 30 / 365, np.linspace(-0.4, 0.4, 20_001)
    total = surface(x, years) * np.sqrt(years)
    d1 = -x / total + 0.5 * total
    put, call = np.interp(0.25, ndtr(-d1), x), np.interp(-0.25, -ndtr(d1), x)
    expected = surface(put, years) - surface(call, years)
    assert expected > 0.01 and values["skew"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("rate", "dividend_yield"), [(0.05, 0.0), (0.05, 0.03), (0.0, 0.02)])
@pytest.mark.parametrize("volatility", [0.15, 0.4])
def test_american_chains_differ_by_a_bounded_amount(rate, dividend_yield, volatility):
    strikes = np.arange(80.0, 121.0, 2.5)
    values = newest(
        chain_of(
            days=(21, 49, 84, 112),
            strikes=strikes,
            volatility=volatility,
            rate=rate,
            dividend_yield=dividend_yield,
            american=True,
        )
    )
    assert -0.0025 < values["iv30"] - volatility < 0.0
    assert values["skew"] == pytest.approx(0.0, abs=0.007)
    assert values["term_slope"] == pytest.approx(0.0, abs=0.004)


def test_noise_of_half_a_spread_is_not_a_bias():
    rng = np.random.default_rng(1)
    chain = pd.concat([chain_of(f"2024-04-05T15:{minute:02d}-04:00", half_spread=0.03) for minute in range(30)])
    shift = rng.uniform(-1.0, 1.0, len(chain)) * (chain["ask"] - chain["bid"]) / 2
    rows = figures_of(chain.assign(bid=chain["bid"] + shift, ask=chain["ask"] + shift)).rows
    for name, expected in (("iv30", 0.25), ("skew", 0.0), ("term_slope", 0.0)):
        values = rows["value"][rows["series"] == name].to_numpy()
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert len(values) == 30 and abs(values.mean() - expected) < 3.0 * error and error < 0.002


def test_the_forward_without_enough_pairs_is_that_of_the_given_rate_or_of_the_underlying():
    chain = chain_of(underlying=100.0)
    is_call, strike = chain["right"] == "call", chain["strike"]
    one_pair = chain[(is_call == (strike >= 100.0)) | (strike == 100.0)]
    table = to_frame(read_chain(one_pair, OPTIONS).rows)
    found = chain_figures(table, rate=0.04)
    assert found.forwards == {"parity with the given rate": 5}
    assert found.rows.set_index("series")["value"]["iv30"] == pytest.approx(0.25, abs=1e-6)
    none = table[(table["strike"] != 100.0) | (table["right"] == "call")]
    found = chain_figures(none, rate=0.04, dividend_yield=0.01)
    assert found.forwards == {"underlying with the given rate and yield": 5}
    assert found.rows.set_index("series")["value"]["iv30"] == pytest.approx(0.25, abs=1e-6)
    found = chain_figures(none.assign(underlying=np.nan))
    assert found.forwards == {"none": 5} and "iv30" not in set(found.rows["series"])


def test_every_unusable_quote_has_a_reason_and_moves_no_figure():
    chain = chain_of(half_spread=0.01, underlying=100.0)
    clean = newest(chain)
    strike, call = chain["strike"], chain["right"] == "call"
    gone = chain[chain["expiry"] == chain["expiry"].iloc[0]].assign(expiry="2024-03-15")
    chain.loc[strike == 70.0, "bid"] = 0.0
    chain.loc[(strike == 130.0) & call, ["bid", "ask"]] = [np.nan, 1.0]
    chain.loc[(strike == 75.0) & ~call, "bid"] = chain["ask"] + 1.0
    chain.loc[(strike == 125.0), "bid"] = 0.01 * chain["ask"]
    chain.loc[(strike == 105.0) & call, ["bid", "ask"]] += 4.0  # a contract with another deliverable
    stale = chain_of("2024-04-05T15:30-04:00", strikes=(62.0,)).assign(source="old")
    again = chain[strike == 100.0].assign(source="zz")
    first = chain_of("2024-04-05T15:50-04:00").query("strike == 100").assign(ask=99.0)
    every = pd.concat([chain, again, gone, stale, first]).assign(known_from="2024-04-05T16:00-04:00")
    found = figures_of(every)
    counts = {name: count for name, count in found.unused.items() if name != "in_the_money"}
    assert counts == {
        "superseded": 20,
        "stale": 10,
        "no_quote": 5,
        "zero_bid": 10,
        "crossed": 5,
        "wide_spread": 10,
        "expired": 66,
        "off_parity": 10,
    }
    values = dict(zip(found.rows["series"], found.rows["value"], strict=True))
    for name in ("iv30", "skew", "term_slope"):
        assert values[name] == pytest.approx(clean[name], abs=5e-4)


def test_a_forward_far_from_the_underlying_means_adjusted_contracts():
    found = figures_of(chain_of(days=(14, 49), underlying=25.0))
    assert found.unused == {"off_parity": 132} and "iv30" not in set(found.rows["series"])


@pytest.mark.parametrize("strikes", [(100.0,), (60.0, 140.0), ()])
def test_too_few_strikes_give_no_volatility(strikes):
    chain = chain_of(strikes=strikes)
    assert not {"iv30", "skew", "term_slope"} & set(figures_of(chain).rows["series"])


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("expiry", "2261-06-01", {"expired": 66}),
        ("expiry", "1700-01-01", {"expired": 66}),
        ("expiry", "9999-12-31", {}),
        ("strike", np.inf, {"no_forward": 46, "off_parity": 20}),
        ("ask", np.inf, {}),
    ],
)
def test_absurd_values_of_one_expiry_are_unused_or_refused(column, value, reason):
    chain = chain_of(days=(14, 28, 35))
    if column == "strike":
        chain.loc[chain.index < 66, "strike"] = 1e300 * (1.0 + np.arange(66) // 2)
    else:
        chain[column] = chain[column].astype(object)
        chain.loc[chain.index < 66, column] = value
    read = read_chain(chain, OPTIONS)
    assert read.refused.counts() == ({} if reason else {"unusable_quote": 66})
    found = chain_figures(to_frame(read.rows))
    assert {name: count for name, count in found.unused.items() if name != "in_the_money"} == reason
    assert found.rows.set_index("series")["value"]["iv30"] == pytest.approx(0.25, abs=1e-7)


def test_maturities_are_not_extrapolated():
    assert "iv30" not in newest(chain_of(days=(35, 63))) and "iv30" in newest(chain_of(days=(28, 35)))


def test_an_expiry_on_a_holiday_or_saturday_ends_with_the_session_before():
    for at, holiday, session in (
        ("2024-03-15T16:00-04:00", "2024-03-29", "2024-03-28"),  # Good Friday
        ("2013-12-20T16:00-05:00", "2014-01-18", "2014-01-17"),  # monthly options expired on Saturdays
    ):
        at_session = chain_of(at, days=((pd.Timestamp(session) - pd.Timestamp(at[:10])).days, 63))
        moved = at_session.assign(expiry=at_session["expiry"].replace(session, holiday))
        assert newest(moved)["iv30"] == newest(at_session)["iv30"] == pytest.approx(0.25, abs=1e-7)


def test_volumes_are_of_the_session_and_open_interest_of_the_one_before():
    chain = chain_of("2024-04-08T15:30-04:00", volume=2.0, open_interest=[10.0, 30.0] * 165)  # a Monday
    rows = figures_of(chain).rows.set_index("series")
    assert rows["value"][["put_volume", "call_volume", "put_call_volume"]].tolist() == [330.0, 330.0, 1.0]
    assert rows["value"]["put_call_open_interest"] == 3.0
    assert str(rows["period"]["put_call_volume"])[:10] == "2024-04-08"
    assert str(rows["period"]["put_call_open_interest"])[:10] == "2024-04-05"
    no_calls = figures_of(chain.assign(volume=[0.0, 2.0] * 165)).rows["series"]
    assert "put_call_volume" not in set(no_calls) and "call_volume" in set(no_calls)


def test_quotes_of_a_day_or_before_the_opening_are_those_of_the_last_close():
    at_close = newest(chain_of())["iv30"]
    for quoted_at in ("2024-04-05", "2024-04-06T08:00-04:00", "2024-04-08T08:00-04:00"):
        rows = figures_of(chain_of().assign(quoted_at=quoted_at)).rows.set_index("series")
        assert rows["value"]["iv30"] == pytest.approx(at_close, abs=1e-12)
        assert str(rows["period"]["iv30"])[:10] == "2024-04-05"


def test_quotes_with_individual_stamps_are_one_snapshot_known_at_the_end_of_the_minute():
    chain = chain_of("2024-04-05T15:59:01-04:00", days=(14, 49))
    seconds = np.arange(len(chain)) % 59 + 1
    rows = figures_of(chain.assign(quoted_at=[f"2024-04-05T15:59:{one:02d}.5-04:00" for one in seconds])).rows
    assert set(rows["known_from"]) == {pd.Timestamp("2024-04-05T20:00Z")}
    assert rows.set_index("series")["value"]["iv30"] == pytest.approx(0.25, abs=1e-4)


def test_vendors_columns_and_contract_names():
    chain = chain_of(days=(14, 49))
    names = {
        "symbol": "Underlying_Symbol",
        "quoted_at": "quote_datetime",
        "expiry": "expiration",
        "right": "option_type",
    }
    vendor = chain.rename(columns=names).assign(symbol=[f"ABC240419C{i:08d}" for i in range(len(chain))])
    for frame in (renamed(vendor), renamed(vendor.drop(columns="symbol"))):
        rows = figures_of(frame).rows
        assert set(rows["symbol"]) == {"ABC"} and "iv30" in set(rows["series"])
