from __future__ import annotations

import io
import json
import math
import subprocess
import sys

import pytest
from rich.console import Console

from cluster.views.leaderboard import render, to_json, verdicts
from configs.errors import ModelError
from training.run.kind_result import KindResult

DIRECTION = {
    "rows": 9_000.0,
    "days": 900.0,
    "log_loss": 1.0953,
    "log_loss_se": 0.0011,
    "log_loss_prior": 1.0956,
    "log_loss_prior_se": 0.001,
    "log_loss_vs_prior": -0.0003,
    "log_loss_vs_prior_se": 0.0009,
    "accuracy": 0.36,
    "up_down_accuracy": 0.541,
    "up_down_accuracy_se": 0.004,
    "up_down_accuracy_prior": 0.5333,
    "up_down_accuracy_prior_se": 0.001,
    "ece": 0.011,
    "ece_se": 0.004,
}
VOLATILITY = {
    "rows": 9_000.0,
    "days": 900.0,
    "qlike": 0.303,
    "qlike_se": 0.01,
    "qlike_log_har_pooled": 0.33,
    "qlike_log_har_pooled_se": 0.012,
    "qlike_vs_log_har_pooled": -0.0267,
    "qlike_vs_log_har_pooled_se": 0.0022,
    "r2": 0.4,
    "r2_se": math.nan,
}


def results() -> list[KindResult]:
    scores = {f"S{k}": {"log_loss_vs_prior": (k - 4.5) / 100, "log_loss_vs_prior_se": 0.02} for k in range(10)}
    return [
        KindResult(
            "direction",
            DIRECTION,
            scores | {"EMPTY": {}},
            skipped=[("TINY", "30 bars; at least 500 are needed")],
            failed=[("[red]ODD", "the loss became NaN")],
            version="20200101-abc",
            decision="champion: the first version of its kind",
            seconds={"fit": 2.0},
        ),
        KindResult(
            "volatility", VOLATILITY, {"S1": {}}, [("TINY", "30 bars; at least 500 are needed")], seconds={"fit": 1.5}
        ),
    ]


def printed(kinds: list[KindResult], width: int = 160) -> str:
    console = Console(width=width, file=io.StringIO())
    for part in render(kinds):
        console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_verdicts_say_in_words_what_the_errors_allow() -> None:
    direction, volatility = results()
    assert verdicts(direction) == ["no detectable edge over the class prior: log loss difference −0.0003 ± 0.0009"]
    assert verdicts(volatility) == [
        "QLIKE 8.1 % below pooled log-HAR, 12 standard errors (difference −0.0267 ± 0.0022)"
    ]
    worse = KindResult("direction", DIRECTION | {"log_loss_vs_prior": 0.009})
    assert verdicts(worse) == [
        "WORSE: log loss 0.8 % above the class prior, 10.0 standard errors (difference +0.0090 ± 0.0009)"
    ]
    unknown = KindResult("direction", DIRECTION | {"log_loss_vs_prior_se": math.nan})
    assert verdicts(unknown) == ["log loss against the class prior: too few test days to tell"]


def test_page_shows_model_beside_baseline_with_uncertainty_and_every_reason() -> None:
    page = printed(results())
    assert "1.0953 ± 0.0011" in page and "1.0956 ± 0.0010" in page
    assert "54.1 ± 0.4" in page and "53.3 ± 0.1" in page
    assert "0.4000 ± ?" in page
    assert (
        "best  symbols" in page
        and "S0 −0.0450 ± 0.0200" in page
        and "10 symbols differ by more than 1.96 standard errors; about 0 would by chance" in page
    )
    assert page.count("TINY") == 1 and "[red]ODD" in page and "the loss became NaN" in page
    assert "version 20200101-abc: champion" in page and "fit 3.5 s" in page


def test_a_member_that_alone_would_be_better_is_told_and_others_are_not() -> None:
    worse = {"qlike_lstm": 0.29, "qlike_vs_lstm": 0.013, "qlike_vs_lstm_se": 0.004}
    noise = {"qlike_forest": 0.30, "qlike_vs_forest": 0.003, "qlike_vs_forest_se": 0.004}
    sentences = verdicts(KindResult("volatility", VOLATILITY | worse | noise))
    assert sentences[1:] == ["WORSE: QLIKE 4.5 % above its own LSTM, 3.2 standard errors (difference +0.0130 ± 0.0040)"]


def test_what_labels_are_worth_is_told() -> None:
    def sentences(difference: float, error: float) -> str:
        facts = {"up_down_accuracy_vs_prior": difference, "up_down_accuracy_vs_prior_se": error, "mcc": 0.02}
        return verdicts(KindResult("direction", DIRECTION | facts))[-1]

    assert (
        sentences(-0.038, 0.011) == "WORSE: up/down accuracy is below the class prior's (difference −3.8 ± 1.1 points)"
    )
    assert sentences(0.038, 0.011) == "up/down accuracy is above the class prior's (difference +3.8 ± 1.1 points)"
    assert sentences(0.01, 0.011).startswith("no detectable edge over the class prior in up/down accuracy: difference")
    same = verdicts(KindResult("direction", DIRECTION | {"mcc": 0.0}))
    assert "the most likely class is always the same" in same[-1]


def test_periods_are_told() -> None:
    spans = {"train": ("", "2009-12-31"), "valid": ("2010-01-04", "2010-12-31"), "test": ("2011-01-03", "2018-12-31")}
    page = printed([KindResult("direction", DIRECTION, periods=spans)])
    assert "trained up to 2009-12-31, chosen and calibrated on 2010-01-04 to 2010-12-31, tested on 2011-01-03" in page


@pytest.mark.parametrize("width", [40, 80, 100])
def test_nothing_is_cut_on_a_narrow_terminal(width: int) -> None:
    page = printed(results(), width)
    assert "…" not in page
    for cell in ("1.0953 ± 0.0011", "1.0956 ± 0.0010", "54.1 ± 0.4", "53.3 ± 0.1", "up/down acc. %"):
        assert cell in page
    table = page[page.index("log loss") : page.index("± standard error")].splitlines()
    assert max(len(line.rstrip()) for line in table) <= width


def test_tables_fit_80_columns_with_baselines_and_members_apart() -> None:
    scores = {"qlike": 12.3456, "r2": -0.3501, "vol_mse": 0.0061}
    names = ("ewma", "garch", "log_har", "log_har_pooled", "anchor", "linear", "lstm", "forest", "boosting")
    other = {f"{key}_{name}": value for key, value in scores.items() for name in names}
    paired = {f"qlike_vs_{name}": -0.03 for name in names}
    errors = {f"{key}_se": 0.0103 for key in (*scores, *other, *paired)}
    volatility = KindResult("volatility", {"rows": 1.0, "days": 1.0, **scores, **other, **paired, **errors})
    page = printed([results()[0], volatility], width=80)
    assert page.count("model  ") == 2, "one table for each kind"
    table = page[page.index("QLIKE") :].splitlines()[:13]
    assert max(len(line.rstrip()) for line in table) <= 80
    assert [line[:24].strip() for line in table[2:]] == [
        *("baselines", "EWMA", "GARCH", "log-HAR per symbol", "pooled log-HAR"),
        *("its members, each alone", "log-HAR", "linear", "LSTM", "forest", "boosting"),
    ]
    assert "−0.3501" in table[1] and "7.8 ± 6.6" in table[1], "root of the mean square, in volatility points"


def test_a_model_equal_to_its_prior_says_only_that() -> None:
    same = {"log_loss": 1.0956, "log_loss_vs_prior": 1e-9, "log_loss_vs_prior_se": 0.0, "mcc": 0.0}
    assert verdicts(KindResult("direction", DIRECTION | same)) == [
        "the model equals the class prior: the features add nothing to it, and every forecast is the same"
    ]


@pytest.mark.parametrize(
    ("coverage", "words"),
    [
        (0.881, "coverage of label sets 88.1 ± 0.6 % of 90 %: too low by 3.2 standard errors"),
        (0.931, "coverage of label sets 93.1 ± 0.6 % of 90 %: too high by 5.2 standard errors"),
        (0.893, "coverage of label sets 89.3 ± 0.6 % of 90 %: as intended"),
    ],
)
def test_coverage_is_compared_with_its_nominal_level(coverage: float, words: str) -> None:
    found = DIRECTION | {"coverage": coverage, "coverage_se": 0.006}
    assert words in printed([KindResult("direction", found, coverage_level=0.9)])
    assert "coverage" not in printed([KindResult("direction", found)])


def test_what_is_equal_for_both_kinds_is_printed_once() -> None:
    spans = {"train": ("", "2009-12-31"), "valid": ("2010-01-04", "2010-12-31"), "test": ("2011-01-03", "2018-12-31")}
    kinds = [KindResult("direction", DIRECTION, periods=spans), KindResult("volatility", VOLATILITY, periods=spans)]
    page = printed(kinds)
    assert page.count("chosen and calibrated on") == page.count("± standard error, clustered") == 1


def test_accuracy_without_a_baseline_is_not_shown() -> None:
    alone = {k: v for k, v in DIRECTION.items() if "prior" not in k}
    page = printed([KindResult("direction", alone)])
    assert "1.0953" in page and "54.1" not in page


def test_run_in_which_everything_failed_still_has_a_page() -> None:
    page = printed([KindResult("volatility", {}, failed=[("A", "no")])])
    assert "failed: 1" in page and "0 rows" in page


def test_json_has_the_promised_shape_and_only_finite_numbers() -> None:
    document = to_json(results(), {"read": 0.5})
    assert document["version"] == {"direction": "20200101-abc", "volatility": None}
    assert document["symbols"] == {
        "trained": 11,
        "skipped": [{"symbol": "TINY", "reason": "30 bars; at least 500 are needed"}],
        "failed": [{"symbol": "[red]ODD", "reason": "the loss became NaN"}],
    }
    assert document["metrics"]["volatility"]["qlike"] == 0.303
    assert document["metrics"]["volatility"]["r2_se"] is None
    assert document["seconds"] == {"read": 0.5, "fit": 3.5}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="Choose one of: direction, volatility"):
        verdicts(KindResult("rates", {}))


def test_import_is_light() -> None:
    heavy = "[m for m in ('rich', 'pandas', 'ray', 'scipy', 'tensorflow') if m in sys.modules]"
    code = f"import sys, cluster.views.leaderboard; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
