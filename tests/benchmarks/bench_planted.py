"""Does the direction fleet find a signal that is there, and claim none where there is none?

``python tests/benchmarks/bench_planted.py [--symbols 20] [--bars 2500] [--strategy pooled] [--accuracy 0.7]``

A generated universe: the next bar goes the way of the bar before last with the given probability, which is the accuracy
that no forecast can beat; sizes tell nothing. The second universe is the same with probability one half. The last line
is JSON: ``accuracy``, ``bayes_accuracy`` (of the rule itself on the same rows), their ratio ``reached``, ``log_loss``
against ``bayes_log_loss``, and, without a signal, how far calibrated probabilities lie from the class prior:
``claimed_mean``, ``claimed_95`` (the 95th percentile) and ``claimed_largest``.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import numpy.typing as npt

from configs import Config, load_config
from features.bars.schema import SymbolBars
from training.predictors.kinds.direction import CLASSES, PriceDirectionPredictor

LAG = 2
_SIGMA = 0.01


def planted_universe(symbols: int, bars: int, accuracy: float, seed: int = 0) -> list[SymbolBars]:
    """Return bars whose return has the sign of the one two bars before with this probability; ½ for no signal."""
    out = []
    for i in range(symbols):
        rng = np.random.default_rng([seed, i])
        size = _SIGMA * (0.2 + np.abs(rng.normal(size=bars)))
        sign = np.where(rng.random(bars) < accuracy, 1.0, -1.0)
        for t in range(LAG, bars):
            sign[t] *= sign[t - LAG]
        returns = size * sign
        close = 100.0 * np.exp(np.cumsum(returns))
        dates = np.busday_offset("2005-01-03", np.arange(bars), roll="forward").astype("datetime64[ns]")
        volume = np.exp(rng.normal(12.0, 0.4, bars))
        out.append(SymbolBars(f"P{i:03d}", dates, close, close, close, close, volume, has_range=False, has_volume=True))
    return out


def planted_config(strategy: str = "pooled", *more: str) -> Config:
    """Return the default direction network, on momentum features and two classes (sideways is a bar without a move).

    Steps are more and longer than on market data, of which there is a hundred times as much.
    """
    wanted = [
        "split={train_end: null, valid_end: null, test_start: null, test_end: null, valid_fraction: 0.2}",
        "features.technical_indicators=[momentum]",
        f"direction.strategy={strategy}",
        "direction.label.k=0",
        "direction.fit={pooled_batch_size: 128, learning_rate: 0.003}",
    ]
    return load_config("demo", overrides=[*wanted, *more])


def rule(bars: SymbolBars) -> npt.NDArray[np.int64]:
    """Return what the planted rule forecasts at each bar: 0 down, 2 up."""
    moves = np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))
    return np.where(np.roll(moves, LAG - 1) >= 0, 2, 0)


def skill(config: Config, bars: list[SymbolBars], accuracy: float) -> dict[str, float]:
    """Fit, and return accuracy and log loss on the test rows next to the rule's own."""
    predictor = PriceDirectionPredictor(config)
    examples = predictor.examples(bars)
    predictor.fit_every(examples)
    labels, symbol = examples.labels("test")
    columns = predictor.forecast(examples.panel, examples.part("test"))
    chance = np.stack([columns[name] for name in CLASSES], axis=1)
    best = np.concatenate([rule(b)[rows] for b, rows in zip(bars, examples.part("test"), strict=True)])
    prior = np.array([np.bincount(labels[symbol == i], minlength=3) / (symbol == i).sum() for i in range(len(bars))])
    away = np.abs(chance - prior.mean(axis=0))
    hits, bayes = (chance.argmax(axis=1) == labels).mean(), (best == labels).mean()
    return {
        "accuracy": float(hits),
        "bayes_accuracy": float(bayes),
        "reached": float(hits / bayes),
        "log_loss": float(-np.log(chance[np.arange(len(labels)), labels]).mean()),
        "bayes_log_loss": float(-bayes * np.log(accuracy) - (1.0 - bayes) * np.log(1.0 - accuracy)),
        "claimed_mean": float(away.mean()),
        "claimed_95": float(np.quantile(away, 0.95)),
        "claimed_largest": float(away.max()),
        "test_rows": float(len(labels)),
    }


def main() -> None:
    """Measure both universes and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--bars", type=int, default=2500)
    parser.add_argument("--strategy", default="pooled", choices=["per_symbol", "pooled", "finetuned"])
    parser.add_argument("--accuracy", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=c")
    options = parser.parse_args()
    config = planted_config(options.strategy, *options.overrides)
    start = time.perf_counter()
    signal, noise = (
        skill(config, planted_universe(options.symbols, options.bars, accuracy, options.seed), accuracy)
        for accuracy in (options.accuracy, 0.5)
    )
    print(
        f"{options.symbols} symbols of {options.bars} bars, {options.strategy}, {signal['test_rows']:.0f} test rows\n"
        f"planted:   accuracy {signal['accuracy']:.3f} of the possible {signal['bayes_accuracy']:.3f} "
        f"({signal['reached']:.1%}), log loss {signal['log_loss']:.4f} (possible {signal['bayes_log_loss']:.4f})\n"
        f"no signal: accuracy {noise['accuracy']:.3f}; probabilities lie {noise['claimed_mean']:.4f} from the class "
        f"prior on average, {noise['claimed_95']:.4f} at the 95th percentile, {noise['claimed_largest']:.4f} at most"
    )
    figures = {key: signal[key] for key in ("accuracy", "bayes_accuracy", "reached", "log_loss", "bayes_log_loss")}
    figures |= {key: noise[key] for key in ("claimed_mean", "claimed_95", "claimed_largest")}
    figures["seconds"] = time.perf_counter() - start
    print(json.dumps({key: round(value, 4) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
