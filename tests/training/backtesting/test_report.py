"""The tear sheet: one page that loads nothing, shows no NaN, and executes no name that someone gave to a symbol."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from training.backtest import Backtest
from training.backtesting.chart_series import equity_band
from training.backtesting.report import figures, model_figures, tables
from training.backtesting.report.charts import label, thinned
from training.backtesting.report.numbers import number, percent, with_error
from training.metrics.comparison import Comparison

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)></script>&{{7*7}}"


class Reader(HTMLParser):
    """Collects text, scripts, and everything that a browser would load; refuses tags that do not match."""

    VOID = ("meta", "br", "hr", "img", "link")

    def __init__(self, html):
        super().__init__()
        self.text, self.open, self.loaded, self.tags = [], [], [], []
        self.scripts, self.plots = [], 0
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        assert not [name for name, _ in attributes if name.startswith("on")]
        self.plots += ("class", "plot") in attributes
        if tag == "script":
            self.scripts.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data
        else:
            self.text.append(data)


def charts_of(page):
    return [json.loads(one, parse_constant=pytest.fail) for one in json.loads(page.scripts[1])]


@pytest.fixture
def traded(settings, one_symbol, tmp_path):
    """Return a function that trades forecasts of one symbol of any name."""

    def run(*overrides, name="AAA", right=0.6, bars=400):
        found = one_symbol(1, right, bars)
        table = found.tables["direction"].assign(symbol=name, label=1)
        found = replace(found, bars=(replace(found.bars[0], symbol=name),), tables={"direction": table})
        return Backtest(settings("backtest.paths=50", *overrides), tmp_path / "store").run(found)

    return run


def test_the_page_loads_nothing_and_says_the_sentence_first_and_last(traded):
    result = traded("backtest.simulations=5", "backtest.costs.preset=us_equities")
    page = Reader(result.to_html())
    text = [one.strip() for one in page.text if one.strip()]
    sentence = f"{result.sentence[:1].upper()}{result.sentence[1:]}."
    assert text.count(sentence) == 2 and text[-1] == sentence and text.index(sentence) < 4
    assert not page.loaded and not {"img", "link", "iframe"} & set(page.tags)
    assert not [one for one in text if "nan" in one.lower().split() or "inf" in one.lower().split()]
    assert {"Equity", "Drawdowns", "Costs", "Capacity", "Monte Carlo", "Exposure"} <= set(text)
    assert "caps.gross" in text and "hash of all settings" in text
    assert len(charts_of(page)) == page.plots
    assert not [one for one in text if "still exist" in one]
    result = replace(result, origin=replace(result.origin, bars="embedded"))
    assert "because they still exist" in result.to_html()


def test_names_of_symbols_are_text_everywhere(traded):
    result = traded(name=HOSTILE)
    page = Reader(result.to_html())
    assert "img" not in page.tags and len(page.scripts) == 3
    assert any(HOSTILE in one for one in page.text), "it is shown as it was given"
    assert "<img" not in page.scripts[1]
    names = [place for chart in charts_of(page) for trace in chart["data"] for place in trace.get("y", ())]
    assert label(HOSTILE) in names and HOSTILE not in names


def test_a_strategy_that_held_nothing_has_a_page_too(traded):
    result = traded("strategy.parameters={size: 0}")
    page = Reader(result.to_html())
    text = " ".join(page.text)
    assert "The strategy held nothing" in text and "Drawdowns" not in text and "nan" not in text.lower().split()
    assert charts_of(page)


def test_an_account_that_lost_everything_has_no_figures_a_year(traded):
    result = traded("strategy.parameters={size: 45}", "strategy.caps={name: 50, group: 50, gross: 50, net: 50}")
    assert result.equity.min() <= 0, "the fixture must ruin the account"
    text = " ".join(Reader(result.to_html()).text)
    assert "The strategy lost everything" in text and "before nothing was left" in text
    assert "(90\N{NO-BREAK SPACE}% interval" not in text


def test_a_walk_forward_run_has_its_losses_by_window_and_its_hashes(store):
    from configs import load_config

    result = Backtest(load_config("demo", overrides=["backtest.paths=50"]), store).of_walk_forward()
    page = Reader(result.to_html())
    text = " ".join(page.text)
    scores = result.origin.windows["volatility"]
    assert "Fitted parameters of volatility by window" in text and "garch.persistence" in text
    assert "QLIKE by window" in text and "Log loss by window" in text and "of 3 windows" in text
    assert result.origin.facts["hash of the data"] in text and result.origin.facts["walk-forward run"] in text
    own = model_figures.losses(scores).data[-1]
    assert list(own.y) == [window.metrics["qlike"] for window in scores.windows]
    best = model_figures.best_baseline(scores)
    assert scores.metrics[f"qlike_{best}"] == min(
        value for name, value in scores.metrics.items() if name in ("qlike_ewma", "qlike_garch", f"qlike_{best}")
    )


def test_months_and_symbols_add_up(traded):
    result = traded()
    years = tables.months(result.simulation)
    total = np.prod([1 + float(total.text.replace("−", "-")) / 100 for _, _, total in years])
    assert total == pytest.approx(1 + result.total_return, abs=0.01)
    found = pd.Series(np.arange(100.0)[::-1], index=[f"S{i}" for i in range(100)])
    shown = figures.shown_symbols(found)
    assert len(shown) == 31 and shown.sum() == found.sum() and "70 others" in shown.index


def test_the_band_contains_the_share_of_histories_that_it_says(traded):
    account = traded(right=0.5).simulation
    band = equity_band(account, 0.8, 2000, 0)
    assert band.index.equals(account.dates) and (band["low"] <= band["high"]).all()
    assert band.iloc[0].tolist() == [1e6, 1e6] and band.notna().all(axis=None)
    mean, sd = account.returns.mean(), account.returns.std()
    n = len(account.returns)
    ends = 1e6 * np.exp(n * (mean - sd**2 / 2) + np.array([-1.2816, 1.2816]) * sd * np.sqrt(n))
    assert band.iloc[-1].to_numpy() == pytest.approx(ends, rel=0.06)


def test_thinned_lines_keep_their_end_and_their_lowest_point():
    dates = pd.date_range("2000-01-01", periods=50_001)
    lines = pd.DataFrame({"strategy": np.random.default_rng(0).standard_normal(50_001)}, index=dates)
    few = thinned(lines, "min")
    assert len(few) == 1200 and few.index[-1] == dates[-1] and few.min().equals(lines.min())
    assert thinned(lines).iloc[-1].equals(lines.iloc[-1]) and thinned(lines.iloc[:9]) is not None


def test_numbers_are_readable():
    assert number(-0.001) == "0.00" and number(-1234.5, 1) == "−1,234.5" and number(float("nan")) == "–"
    assert percent(0.1234) == "12.3\N{NO-BREAK SPACE}%" and percent(float("inf")) == "–"
    assert with_error(Comparison(-0.00076, 0.00019)) == "−0.00076 ± 0.00019"
    assert (
        with_error(Comparison(0.1, float("nan"))).endswith("± ?") and with_error(Comparison(0.0, 0.0)) == "+0.00 ± 0.00"
    )
