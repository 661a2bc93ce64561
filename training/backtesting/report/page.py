"""The tear sheet of a backtest as one HTML page: its sections in order, and the template that shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from configs.words import counted
from training.backtesting.chart_series import quarter
from training.backtesting.report import figures, model_figures, model_sentences, sentences, tables
from training.backtesting.report.tables import Table
from training.backtesting.result import BacktestResult
from training.backtesting.statements import added, why
from training.tasks import task_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FOR_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True)
class Section:
    """A heading, a chart, the sentences below it, and a table; each but the heading may be missing."""

    title: str
    sentences: Sequence[str] = ()
    figure: Figure | None = None
    table: Table | None = None
    months: Sequence[Any] = field(default=())
    is_wide: bool = False


def render(result: BacktestResult) -> str:
    """Return the page. It loads nothing: scripts, styles and data are in it, and its policy refuses all else."""
    sections = list(_sections(result))
    return rendered(
        "training.backtesting.report",
        title=f"{result.config.strategy.name} on {result.title}",
        period=_period(result),
        verdicts=[model_sentences.as_sentence(one) for one in (*added(result), result.sentence)],
        notes=model_sentences.notes(result),
        overview=[tables.accounts(result), tables.added(result)],
        worth=model_sentences.worth(result),
        sections=sections,
        month_names=tables.month_names(),
        figures=[one.figure for one in sections if one.figure is not None],
        provenance=tables.provenance(result),
        settings=tables.settings(result),
        significance=tables.significance(result),
        significance_note=model_sentences.significance(result),
    )


def rendered(package: str, *, figures: Sequence[Figure], **values: Any) -> str:
    """Return the ``page.html`` of a package, which may use the style, the charts and the tables of this one.

    Parameters
    ----------
    package
        Where the template is.
    figures
        The charts, in the order of the elements of class ``plot``.
    values
        What else the template shows; text is escaped.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("training.backtesting.report", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html")
    return page.render(charts=_embedded(figures), plotly=get_plotlyjs(), **values)


def _sections(result: BacktestResult) -> Iterator[Section]:
    """Yield the sections between the overview and the settings; without orders, those that say something."""
    yield Section("Equity", [sentences.equity(result)], figures.equity(result), is_wide=True)
    traded = bool(result.num_trades)
    if traded:
        yield Section("Drawdowns", [sentences.drawdowns(result)], figures.drawdowns(result), is_wide=True)
        yield Section("Months", [sentences.months(result)], months=tables.months(result.simulation), is_wide=True)
        yield from _rolling(result)
        exposures = [sentences.exposures(result), model_sentences.as_sentence(why(result))]
        yield Section("Exposure", exposures, figures.exposures(result))
        yield Section("Turnover", [sentences.turnover(result)], figures.turnover(result))
        is_charged = bool(result.simulation.costs.abs().sum() > 0)
        chart = figures.costs(result) if is_charged else None
        yield Section("Costs", [sentences.costs(result)], chart, tables.costs(result) if is_charged else None)
        yield Section("Contribution by symbol", [sentences.contribution(result)], figures.contribution(result))
        yield Section("Capacity", [sentences.capacity(result)], figures.capacity(result))
    else:
        yield Section("Positions", [model_sentences.as_sentence(why(result))], is_wide=True)
    yield from _models(result)
    ranges = model_figures.sharpe_ranges(result)
    chart = model_figures.monte_carlo(result) if ranges else None
    yield Section("Monte Carlo", model_sentences.monte_carlo(result), chart)


def _rolling(result: BacktestResult) -> Iterator[Section]:
    """Yield risk through time; nothing if the period is shorter than a quarter of a year."""
    if len(result.returns.dropna()) > quarter(result.bars_per_year):
        yield Section("Rolling Sharpe ratio", [sentences.rolling_sharpe(result)], figures.rolling_sharpe(result))
        yield Section("Rolling volatility", [sentences.rolling_volatility(result)], figures.rolling_volatility(result))


def _models(result: BacktestResult) -> Iterator[Section]:
    for kind, scores in result.origin.windows.items():
        title = _capital(task_of(kind).loss_title)
        yield Section(f"{title} by window", [model_sentences.losses(scores)], model_figures.losses(scores))
        yield Section(
            f"{title}: model less best baseline, with 95 % intervals",
            [model_sentences.gains(scores)],
            model_figures.gains(scores),
        )
        if (table := tables.parameters(scores)) is not None:
            yield Section(f"Fitted parameters of {kind} by window", table=table)
    for kind in dict.fromkeys(result.calibration["kind"] if len(result.calibration) else ()):
        chart = model_figures.calibration(result, kind)
        if chart is not None:
            yield Section(f"Calibration of {kind} by window", [model_sentences.calibration(result, kind)], chart)


def _period(result: BacktestResult) -> str:
    dates, symbols = result.simulation.dates, result.simulation.market.symbols
    return (
        f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}, {counted(len(dates), 'bar')} of "
        f"{counted(len(symbols), 'symbol')}, {result.bars_per_year:g} a year; costs: "
        f"{result.config.backtest.costs.preset}"
    )


def _embedded(charts: Sequence[Figure]) -> str:
    """Return the charts as JSON that cannot end the script it is in; unknown values are null."""
    from plotly.io import to_json

    text = json.dumps([to_json(one, validate=False, engine="json") for one in charts])
    for character, escaped in _FOR_SCRIPTS.items():
        text = text.replace(character, escaped)
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
